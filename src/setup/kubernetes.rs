//! Kubernetes: the files of containerd on every node, and the setting with which pulls of the kubelet read them.

/// The setting in containerd's own configuration, for both versions of its format.
pub(super) const CONFIG: &str = r#"# /etc/containerd/config.toml, version 2 of the format (containerd 1.x)
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"

# /etc/containerd/config.toml, version 3 (containerd 2.x)
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "/etc/containerd/certs.d"
"#;

pub(super) const ACTIVATION_NOTE: &str =
    "pulls of the kubelet read these files if `config_path` names their folder; restart containerd after setting it";

pub(super) const NOTE: &str = "each node needs regpass at the address in these files (as a DaemonSet on the host \
    network, see config/kubernetes of the project) and the files themselves: run `regpass setup containerd --write` there, or mount them";

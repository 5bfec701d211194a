//! Kubernetes: containerd's files on every node, and what lets the kubelet's pulls read them.

/// containerd's own configuration, for both of its versions.
pub(super) const CONFIG: &str = r#"# /etc/containerd/config.toml, version 2 of the format (containerd 1.x)
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"

# /etc/containerd/config.toml, version 3 (containerd 2.x)
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "/etc/containerd/certs.d"
"#;

pub(super) const RESTART: &str =
    "the kubelet's pulls read these files where config_path names their folder; restart containerd after setting it";

pub(super) const ADVICE: &str = "each node needs regpass on this address (a DaemonSet on the host's network; config/kubernetes of \
    the project has one) and these files: run `regpass setup containerd --write` there, or mount them";

//! containerd with regpass as a mirror: its requests name the mirrored registry in `?ns=`.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::process::{Daemon, isolated, output, stdout};
use crate::stack::{SECOND_REGISTRY, Stack, in_both_auth_modes};

/// The text that containerd logs once it is ready.
pub(crate) const READY: &str = "successfully booted";

in_both_auth_modes!(every_platform_is_pulled_from_the_mirror);

async fn every_platform_is_pulled_from_the_mirror(stack: &Stack) {
    let _containerd = start(stack.home()).await;
    for (registry, repository) in [(SECOND_REGISTRY, "toddysm/python"), ("docker.io", "library/python")] {
        let hosts = mirror(stack, registry);
        let name = format!("{registry}/{repository}:3.12");
        pull_from_mirror(stack.home(), &hosts, &name, &stack.image.digest).await;
    }
    let content = stdout(ctr(stack.home()).args(["content", "list", "--quiet"])).await;
    for platform in &stack.image.platforms {
        for digest in [&platform.manifest, &platform.config, &platform.layer] {
            assert!(content.contains(digest.as_str()), "no {digest} in\n{content}");
        }
    }
}

/// Makes regpass the mirror of `registry`, without a fallback to the registry itself. Returns containerd's folder of
/// hosts (`--hosts-dir`).
fn mirror(stack: &Stack, registry: &str) -> PathBuf {
    let regpass = stack.regpass.url("");
    let text = format!("server = \"{regpass}\"\n[host.\"{regpass}\"]\ncapabilities = [\"pull\", \"resolve\"]\n");
    write_hosts(stack.home(), registry, &text)
}

/// Writes the `hosts.toml` of `registry`. Returns containerd's folder of hosts (`--hosts-dir`).
pub(crate) fn write_hosts(home: &Path, registry: &str, text: &str) -> PathBuf {
    let hosts = home.join("hosts");
    let directory = hosts.join(registry);
    fs::create_dir_all(&directory).expect("a folder of hosts");
    fs::write(directory.join("hosts.toml"), text).expect("hosts.toml is written");
    hosts
}

/// Pulls all platforms of an image with a folder of hosts and checks the image's digest.
pub(crate) async fn pull_from_mirror(home: &Path, hosts: &Path, name: &str, digest: &str) {
    let mut pull = ctr(home);
    pull.args(["images", "pull", "--all-platforms", "--snapshotter=native", "--hosts-dir"]).arg(hosts).arg(name);
    output(&mut pull).await;
    assert_digest(ctr(home), name, digest).await;
}

/// Checks the digest of the image `name` in containerd's list. `ctr` is a command without arguments.
pub(crate) async fn assert_digest(mut ctr: Command, name: &str, digest: &str) {
    let images = stdout(ctr.args(["images", "list"])).await;
    let image = images.lines().find(|line| line.starts_with(name)).expect("the image in the list");
    assert_eq!(image.split_whitespace().nth(2), Some(digest), "{name}");
}

pub(crate) async fn start(home: &Path) -> Daemon {
    let state = home.display();
    let config = format!(
        r#"
        version = 2
        root = "{state}/root"
        state = "{state}/state"
        # The Kubernetes interface, and a plugin that writes to /opt.
        disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
        [grpc]
        address = "{state}/containerd.sock"
        [ttrpc]
        address = "{state}/containerd.sock.ttrpc"
        "#
    );
    let file = home.join("containerd.toml");
    fs::write(&file, config).expect("containerd.toml is written");
    let mut command = isolated("containerd", home);
    command.arg("--config").arg(file);
    Daemon::start_ready("containerd", command, READY).await
}

pub(crate) fn ctr(home: &Path) -> Command {
    let mut ctr = isolated("ctr", home);
    ctr.arg("--address").arg(home.join("containerd.sock"));
    ctr
}

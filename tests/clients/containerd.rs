//! containerd with a mirror: its requests carry `?ns=`, the name it is a mirror of.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::process::{Daemon, output, private, stdout};
use crate::scene::{NS, Scene, in_both_modes};

in_both_modes!(pulls_every_platform_from_its_mirror);

async fn pulls_every_platform_from_its_mirror(scene: &Scene) {
    let _containerd = start(scene.home()).await;
    for registry in [NS, "docker.io"] {
        let hosts = mirror(scene, registry);
        let repository = if registry == NS { "toddysm/python" } else { "library/python" };
        let name = format!("{registry}/{repository}:3.12");
        let mut pull = ctr(scene.home());
        pull.args(["images", "pull", "--all-platforms", "--snapshotter=native", "--hosts-dir"]).arg(hosts).arg(&name);
        output(&mut pull).await;

        let images = stdout(ctr(scene.home()).args(["images", "list"])).await;
        let image = images.lines().find(|line| line.starts_with(&name)).expect("the image in the list");
        let digest = image.split_whitespace().nth(2);
        assert_eq!(digest, Some(&*scene.image.digest), "{name}");
    }
    let content = stdout(ctr(scene.home()).args(["content", "list", "--quiet"])).await;
    for platform in &scene.image.platforms {
        for digest in [&platform.manifest, &platform.config, &platform.layer] {
            assert!(content.contains(digest.as_str()), "no {digest} in\n{content}");
        }
    }
}

/// Names regpass as the mirror of `registry`; there is no way around it.
fn mirror(scene: &Scene, registry: &str) -> PathBuf {
    let hosts = scene.home().join("hosts");
    let regpass = scene.regpass.url("");
    let directory = hosts.join(registry);
    fs::create_dir_all(&directory).expect("hosts directory");
    let text = format!("server = \"{regpass}\"\n[host.\"{regpass}\"]\ncapabilities = [\"pull\", \"resolve\"]\n");
    fs::write(directory.join("hosts.toml"), text).expect("hosts.toml");
    hosts
}

pub(crate) async fn start(home: &Path) -> Daemon {
    let state = home.display();
    let config = format!(
        r#"
        version = 2
        root = "{state}/root"
        state = "{state}/state"
        # Kubernetes' side, and a plugin that writes to /opt.
        disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
        [grpc]
        address = "{state}/containerd.sock"
        [ttrpc]
        address = "{state}/containerd.sock.ttrpc"
        "#
    );
    let file = home.join("containerd.toml");
    fs::write(&file, config).expect("containerd.toml");
    let mut command = private("containerd", home);
    command.arg("--config").arg(file);
    let daemon = Daemon::start("containerd", command);
    daemon.line(|line| line.contains("successfully booted").then_some(())).await;
    daemon
}

pub(crate) fn ctr(home: &Path) -> Command {
    let mut ctr = private("ctr", home);
    ctr.arg("--address").arg(home.join("containerd.sock"));
    ctr
}

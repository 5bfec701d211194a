//! containerd with the folder of hosts that was written for it.

use std::fs;

use super::{setup, told};
use crate::containerd::{ctr, start};
use crate::process::{output, stdout};
use crate::scene::{NS, Scene, in_both_modes};

in_both_modes!(pulls_by_the_names_of_registries);

async fn pulls_by_the_names_of_registries(scene: &Scene) {
    let hosts = scene.home().join("hosts");
    // Somebody's own mirror, which is not there.
    let theirs = hosts.join("docker.io/hosts.toml");
    let before =
        "server = \"http://127.0.0.1:1\"\n# ours\n[host.\"http://127.0.0.1:2\"]\n  capabilities = [\"pull\"]\n";
    fs::create_dir_all(theirs.parent().expect("a folder")).expect("the folder");
    fs::write(&theirs, before).expect("hosts.toml");
    output(setup(scene, &["containerd", "--write", "--file"]).arg(&hosts)).await;
    assert!(hosts.join("ghcr.io/hosts.toml").is_file(), "well-known registries have their files");

    let _containerd = start(scene.home()).await;
    for name in [format!("{NS}/toddysm/python:3.12"), "docker.io/library/python:3.12".to_owned()] {
        let mut pull = ctr(scene.home());
        pull.args(["images", "pull", "--all-platforms", "--snapshotter=native", "--hosts-dir"]).arg(&hosts).arg(&name);
        output(&mut pull).await;
        let images = stdout(ctr(scene.home()).args(["images", "list"])).await;
        let image = images.lines().find(|line| line.starts_with(&name)).expect("the image in the list");
        assert_eq!(image.split_whitespace().nth(2), Some(&*scene.image.digest), "{name}");
    }

    // Fewer registries: what was written for the others goes.
    let fewer = output(setup(scene, &["containerd", NS, "--write", "--file"]).arg(&hosts)).await;
    assert!(told(&fewer.stdout).contains("removed ") && !hosts.join("ghcr.io").exists(), "{fewer:?}");
    assert!(hosts.join(NS).join("hosts.toml").is_file());
    output(setup(scene, &["containerd", "--undo", "--file"]).arg(&hosts)).await;
    assert!(!hosts.join(NS).exists());
    assert_eq!(fs::read_to_string(&theirs).expect("hosts.toml"), before);
}

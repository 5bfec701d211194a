//! containerd with the folder of hosts that `regpass setup containerd` wrote.

use std::fs;

use super::{setup, text};
use crate::containerd::{pull_from_mirror, start, write_hosts};
use crate::process::output;
use crate::stack::{SECOND_REGISTRY, Stack, in_both_auth_modes};

/// The owner's own mirrors, which do not exist.
const OWN_MIRRORS: &str =
    "server = \"http://127.0.0.1:1\"\n# ours\n[host.\"http://127.0.0.1:2\"]\n  capabilities = [\"pull\"]\n";

in_both_auth_modes!(images_are_pulled_by_registry_name_and_setup_is_undone);

async fn images_are_pulled_by_registry_name_and_setup_is_undone(stack: &Stack) {
    let hosts = write_hosts(stack.home(), "docker.io", OWN_MIRRORS);
    output(setup(stack, &["containerd", "--write", "--file"]).arg(&hosts)).await;
    assert!(hosts.join("ghcr.io/hosts.toml").is_file(), "no file for a well-known registry");

    let _containerd = start(stack.home()).await;
    for name in [format!("{SECOND_REGISTRY}/toddysm/python:3.12"), "docker.io/library/python:3.12".to_owned()] {
        pull_from_mirror(stack.home(), &hosts, &name, &stack.image.digest).await;
    }

    // With fewer registries, setup removes the files of the others.
    let fewer = output(setup(stack, &["containerd", SECOND_REGISTRY, "--write", "--file"]).arg(&hosts)).await;
    assert!(text(&fewer.stdout).contains("removed ") && !hosts.join("ghcr.io").exists(), "{fewer:?}");
    assert!(hosts.join(SECOND_REGISTRY).join("hosts.toml").is_file());
    output(setup(stack, &["containerd", "--undo", "--file"]).arg(&hosts)).await;
    assert!(!hosts.join(SECOND_REGISTRY).exists());
    assert_eq!(fs::read_to_string(hosts.join("docker.io/hosts.toml")).expect("hosts.toml"), OWN_MIRRORS);
}

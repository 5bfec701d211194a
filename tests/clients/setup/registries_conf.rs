//! podman, buildah and skopeo with the `registries.conf` that `regpass setup podman` wrote.

use std::fs;

use super::assert_written_and_undone;
use crate::engine::{BUILDAH, PODMAN};
use crate::process::{isolated, stdout};
use crate::stack::{SECOND_REGISTRY, Stack, in_both_auth_modes};

in_both_auth_modes!(images_are_pulled_by_registry_name_and_setup_is_undone);

async fn images_are_pulled_by_registry_name_and_setup_is_undone(stack: &Stack) {
    // All three clients read this file. skopeo 1.9 has no variable for another one.
    let file = stack.home().join(".config/containers/registries.conf");
    fs::create_dir_all(file.parent().expect("a folder")).expect("the folder is created");
    fs::write(&file, "# ours\nshort-name-mode = \"enforcing\"\n[[registry]]\nlocation = \"docker.io\" # the hub\n")
        .expect("registries.conf is written");
    assert_written_and_undone(stack, &["podman", "docker.io", SECOND_REGISTRY], &file, async || {
        let names = [
            "docker.io/library/python:3.12".to_owned(),
            format!("{SECOND_REGISTRY}/toddysm/python:3.12"),
            // The address of regpass itself, without --tls-verify=false.
            stack.regpass.image("reg/toddysm/python:3.12"),
        ];
        for name in names {
            for engine in [PODMAN, BUILDAH] {
                engine.pull(stack.home(), &name, &stack.image.platforms[0], &[]).await;
            }
            // skopeo lists tags at the registry itself, not at its mirror.
            let mut skopeo = isolated("skopeo", stack.home());
            skopeo.args(["inspect", "--no-tags", "--format={{.Digest}}", &format!("docker://{name}")]);
            assert_eq!(stdout(&mut skopeo).await.trim(), stack.image.digest, "{name}");
        }
    })
    .await;
}

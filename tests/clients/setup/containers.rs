//! podman, buildah and skopeo with a `registries.conf` that was written for them.

use std::fs;
use std::path::Path;

use tokio::process::Command;

use super::wrote_and_took_back;
use crate::buildah::buildah;
use crate::podman::podman;
use crate::process::{private, stdout};
use crate::scene::{NS, Scene, in_both_modes};

in_both_modes!(pull_by_the_names_of_registries);

async fn pull_by_the_names_of_registries(scene: &Scene) {
    let file = scene.home().join("registries.conf");
    fs::write(&file, "# ours\nshort-name-mode = \"enforcing\"\n[[registry]]\nlocation = \"docker.io\" # the hub\n")
        .expect("registries.conf");
    wrote_and_took_back(scene, &["podman", "docker.io", NS], &file, async || {
        let platform = &scene.image.platforms[0];
        let wanted = format!("--platform=linux/{}", platform.architecture);
        let names = [
            "docker.io/library/python:3.12".to_owned(),
            format!("{NS}/toddysm/python:3.12"),
            // regpass itself, without --tls-verify=false.
            scene.regpass.image("reg/toddysm/python:3.12"),
        ];
        for name in names {
            let mut tool = with(podman(scene.home()), &file);
            let id = stdout(tool.args(["pull", "--quiet", &wanted, &name])).await;
            assert_eq!(format!("sha256:{}", id.trim()), platform.config, "{name}");

            let mut tool = with(buildah(scene.home()), &file);
            let id = stdout(tool.args(["pull", "--quiet", &wanted, &name])).await;
            assert_eq!(format!("sha256:{}", id.trim()), platform.config, "{name}");

            let mut tool = with(private("skopeo", scene.home()), &file);
            let image = format!("docker://{name}");
            let digest = stdout(tool.args(["inspect", "--format={{.Digest}}", &image])).await;
            assert_eq!(digest.trim(), scene.image.digest, "{name}");
        }
    })
    .await;
}

/// Reads this file only.
fn with(mut tool: Command, file: &Path) -> Command {
    tool.env("CONTAINERS_REGISTRIES_CONF", file);
    tool
}

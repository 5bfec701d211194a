//! podman, buildah and skopeo with a `registries.conf` that was written for them.

use std::fs;

use super::wrote_and_took_back;
use crate::buildah::buildah;
use crate::podman::podman;
use crate::process::{private, stdout};
use crate::scene::{NS, Scene, in_both_modes};

in_both_modes!(pull_by_the_names_of_registries);

async fn pull_by_the_names_of_registries(scene: &Scene) {
    // Which all of them read; skopeo 1.9 knows no variable for it.
    let file = scene.home().join(".config/containers/registries.conf");
    fs::create_dir_all(file.parent().expect("a folder")).expect("the folder");
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
            let mut tool = podman(scene.home());
            let id = stdout(tool.args(["pull", "--quiet", &wanted, &name])).await;
            assert_eq!(format!("sha256:{}", id.trim()), platform.config, "{name}");

            let mut tool = buildah(scene.home());
            let id = stdout(tool.args(["pull", "--quiet", &wanted, &name])).await;
            assert_eq!(format!("sha256:{}", id.trim()), platform.config, "{name}");

            // Lists of tags are asked of the registry itself.
            let mut tool = private("skopeo", scene.home());
            let image = format!("docker://{name}");
            let digest = stdout(tool.args(["inspect", "--no-tags", "--format={{.Digest}}", &image])).await;
            assert_eq!(digest.trim(), scene.image.digest, "{name}");
        }
    })
    .await;
}

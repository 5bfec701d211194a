//! podman: pulls either platform into a store of its own.

use std::path::Path;

use tokio::process::Command;

use crate::process::{private, stdout};
use crate::scene::{Scene, in_both_modes};

in_both_modes!(pulls_either_platform);

async fn pulls_either_platform(scene: &Scene) {
    for name in ["python:3.12", "reg/toddysm/python:3.12"] {
        let name = scene.regpass.image(name);
        for platform in &scene.image.platforms {
            let wanted = format!("--platform=linux/{}", platform.architecture);
            let id = stdout(podman(scene.home()).args(["pull", "--quiet", "--tls-verify=false", &wanted, &name])).await;
            assert_eq!(format!("sha256:{}", id.trim()), platform.config, "{name} {wanted}");

            let format = "--format={{.Digest}} {{.Architecture}}";
            let image = stdout(podman(scene.home()).args(["image", "inspect", format, id.trim()])).await;
            assert_eq!(image.trim(), format!("{} {}", scene.image.digest, platform.architecture));
        }
    }
}

/// The vfs driver needs nothing of the kernel.
pub(crate) fn podman(home: &Path) -> Command {
    let mut podman = private("podman", home);
    for (flag, directory) in [("--root", "podman"), ("--runroot", "podman-run"), ("--tmpdir", "podman-tmp")] {
        podman.arg(flag).arg(home.join(directory));
    }
    podman.args(["--storage-driver=vfs", "--events-backend=none"]);
    podman
}

//! buildah: pulls either platform, and starts a build from the image.

use std::path::Path;

use tokio::process::Command;

use crate::process::{private, stdout};
use crate::scene::{Scene, in_both_modes};

in_both_modes!(pulls_and_builds_from);

async fn pulls_and_builds_from(scene: &Scene) {
    for name in ["python:3.12", "reg/toddysm/python:3.12"] {
        let name = scene.regpass.image(name);
        for platform in &scene.image.platforms {
            let wanted = format!("--platform=linux/{}", platform.architecture);
            let id =
                stdout(buildah(scene.home()).args(["pull", "--quiet", "--tls-verify=false", &wanted, &name])).await;
            assert_eq!(format!("sha256:{}", id.trim()), platform.config, "{name} {wanted}");

            let from = ["from", "--pull-never", "--tls-verify=false", &wanted, &name];
            let container = stdout(buildah(scene.home()).args(from)).await;
            let inspect = ["inspect", "--format={{.FromImageDigest}}", container.trim()];
            let digest = stdout(buildah(scene.home()).args(inspect)).await;
            assert_eq!(digest.trim(), platform.manifest, "{name} {wanted}");
            // One line for each platform that is there by now.
            let digests = stdout(buildah(scene.home()).args(["images", "--format={{.Digest}}", &name])).await;
            assert!(!digests.is_empty() && digests.lines().all(|digest| digest == scene.image.digest), "{digests}");
        }
    }
}

/// The vfs driver needs nothing of the kernel.
pub(crate) fn buildah(home: &Path) -> Command {
    let mut buildah = private("buildah", home);
    for (flag, directory) in [("--root", "buildah"), ("--runroot", "buildah-run")] {
        buildah.arg(flag).arg(home.join(directory));
    }
    buildah.arg("--storage-driver=vfs");
    buildah
}

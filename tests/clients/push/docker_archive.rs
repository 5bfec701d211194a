//! A local image as a docker archive, the file that `docker save` writes and every engine loads.

use std::path::{Path, PathBuf};

use crate::image::{Image, Platform};
use crate::process::{isolated, output};

/// The image's name in the archive.
pub(crate) const LOCAL_NAME: &str = "localhost/local:1";

/// Writes one platform of an image as a docker archive below `home`.
pub(crate) async fn docker_archive(home: &Path, image: &Image, platform: &Platform) -> PathBuf {
    let archive = home.join(format!("{}.tar", platform.architecture));
    let architecture = format!("--override-arch={}", platform.architecture);
    let mut skopeo = isolated("skopeo", home);
    skopeo.args([&architecture, "copy"]).arg(format!("oci:{}", image.layout().display()));
    output(skopeo.arg(format!("docker-archive:{}:{LOCAL_NAME}", archive.display()))).await;
    archive
}

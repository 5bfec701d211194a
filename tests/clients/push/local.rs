//! An image for the store of an engine: no registry knows it yet.

use std::path::{Path, PathBuf};

use crate::image::Platform;
use crate::process::{output, private};

/// What engines call it.
pub(crate) const LOCAL: &str = "localhost/local:1";

/// One platform of an OCI layout as `docker save` would write it, below `home`.
pub(crate) async fn archive(home: &Path, platform: &Platform, layout: &Path) -> PathBuf {
    let archive = home.join(format!("{}.tar", platform.architecture));
    let wanted = format!("--override-arch={}", platform.architecture);
    let mut skopeo = private("skopeo", home);
    skopeo.args([&wanted, "copy"]).arg(format!("oci:{}", layout.display()));
    output(skopeo.arg(format!("docker-archive:{}:{LOCAL}", archive.display()))).await;
    archive
}

//! skopeo copies a whole index to the registry and back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::run::{Round, SoakRun};
use crate::image::digest_of;
use crate::process::{isolated, output};
use crate::push::stored_image::StoredImage;

pub(super) async fn push_and_pull(run: Arc<SoakRun>) {
    let home = tempfile::tempdir().expect("a directory for skopeo");
    for round in run.rounds("skopeo") {
        round.push(push(&round, home.path())).await;
        round.pull(pull(&round, home.path())).await;
    }
}

async fn push(round: &Round<'_>, home: &Path) {
    let layout = format!("oci:{}", round.image.layout().display());
    let target = format!("docker://{}", round.image_name());
    output(isolated("skopeo", home).args(["copy", "--all", "--dest-tls-verify=false", &layout, &target])).await;
    StoredImage::read(&round.registry.registry, &round.repository, &round.tag).await.assert_equals(&round.image);
}

async fn pull(round: &Round<'_>, home: &Path) {
    let source = format!("docker://{}", round.image_name());
    let files = home.join("pulled");
    let target = format!("dir:{}", files.display());
    output(isolated("skopeo", home).args(["copy", "--all", "--src-tls-verify=false", &source, &target])).await;
    let index = fs::read(files.join("manifest.json")).expect("manifest.json");
    assert_eq!(digest_of(&index), round.image.digest);
    let digest = &round.platform().layer;
    let layer = fs::read(files.join(digest.trim_start_matches("sha256:"))).expect("the layer");
    assert_eq!(digest_of(&layer), *digest);
    fs::remove_dir_all(files).expect("the pulled files are removed");
}

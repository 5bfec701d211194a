//! containerd imports an index, pushes all of it, removes it and pulls it again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::run::{Round, SoakRun};
use crate::containerd::{assert_digest, ctr, start};
use crate::image::Image;
use crate::process::{output, stdout};
use crate::push::stored_image::StoredImage;

pub(super) async fn push_and_pull(run: Arc<SoakRun>) {
    let home = tempfile::tempdir().expect("a directory for containerd");
    let _containerd = start(home.path()).await;
    for round in run.rounds("containerd") {
        round.push(push(&round, home.path())).await;
        round.pull(pull(&round, home.path())).await;
    }
}

async fn push(round: &Round<'_>, home: &Path) {
    let name = round.image_name();
    let archive = archive(&round.image, &name, home);
    output(ctr(home).args(["images", "import", "--no-unpack", "--all-platforms"]).arg(&archive)).await;
    fs::remove_file(archive).expect("the archive is removed");

    output(ctr(home).args(["images", "push", "--plain-http", &name])).await;
    StoredImage::read(&round.registry.registry, &round.repository, &round.tag).await.assert_equals(&round.image);
    remove(home, &name).await;
}

async fn pull(round: &Round<'_>, home: &Path) {
    let name = round.image_name();
    let pull = ["images", "pull", "--plain-http", "--all-platforms", "--snapshotter=native", &name];
    output(ctr(home).args(pull)).await;
    assert_digest(ctr(home), &name, &round.image.digest).await;
    remove(home, &name).await;
}

/// Writes the OCI layout as one file, with the name that containerd gives the image.
fn archive(image: &Image, name: &str, home: &Path) -> PathBuf {
    let index = fs::read(image.layout().join("index.json")).expect("index.json");
    let mut index: Value = serde_json::from_slice(&index).expect("JSON");
    index["manifests"][0]["annotations"] = json!({ "io.containerd.image.name": name });
    let named_index = home.join("index.json");
    fs::write(&named_index, index.to_string()).expect("index.json is written");

    let archive = home.join("archive.tar");
    let mut tar = tar::Builder::new(File::create(&archive).expect("an archive"));
    tar.append_dir_all("blobs", image.layout().join("blobs"))
        .and_then(|()| tar.append_path_with_name(image.layout().join("oci-layout"), "oci-layout"))
        .and_then(|()| tar.append_path_with_name(named_index, "index.json"))
        .and_then(|()| tar.finish())
        .expect("the archive is written");
    archive
}

/// Removes the image with its content, which a pull would otherwise skip.
async fn remove(home: &Path, name: &str) {
    output(ctr(home).args(["images", "remove", "--sync", name])).await;
    let content = stdout(ctr(home).args(["content", "list", "--quiet"])).await;
    assert_eq!(content.trim(), "", "content that a pull of {name} would skip");
}

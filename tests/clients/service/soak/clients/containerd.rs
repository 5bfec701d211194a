//! containerd: imports an index, pushes all of it, forgets it and pulls it again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::stage::{Stage, Turn};
use super::super::tally::Act;
use crate::containerd::{ctr, start};
use crate::image::Image;
use crate::process::{output, stdout};
use crate::push::held::Held;

pub(super) async fn work(stage: Arc<Stage>) {
    let home = tempfile::tempdir().expect("a directory for containerd");
    let home = home.path();
    let _containerd = start(home).await;
    for number in 0.. {
        if stage.is_over() {
            break;
        }
        let turn = stage.turn("containerd", number);
        stage.tally.count("containerd", Act::Push, turn.size(), push(&turn, home)).await;
        stage.tally.count("containerd", Act::Pull, turn.size(), pull(&turn, home)).await;
    }
}

async fn push(turn: &Turn<'_>, home: &Path) {
    let name = name(turn);
    let archive = archive(&turn.image, &name, home);
    output(ctr(home).args(["images", "import", "--no-unpack", "--all-platforms"]).arg(&archive)).await;
    fs::remove_file(archive).expect("the archive");

    output(ctr(home).args(["images", "push", "--plain-http", &name])).await;
    Held::read(&turn.place.registry, "soak/containerd", &turn.tag).await.assert_is(&turn.image);
    forget(home, &name).await;
}

async fn pull(turn: &Turn<'_>, home: &Path) {
    let name = name(turn);
    let pull = ["images", "pull", "--plain-http", "--all-platforms", "--snapshotter=native", &name];
    output(ctr(home).args(pull)).await;
    let images = stdout(ctr(home).args(["images", "list"])).await;
    let image = images.lines().find(|line| line.starts_with(&name)).expect("the image in the list");
    assert_eq!(image.split_whitespace().nth(2), Some(&*turn.image.digest), "{name}");
    forget(home, &name).await;
}

/// An OCI layout in one file, which tells containerd what to call the image.
fn archive(image: &Image, name: &str, home: &Path) -> PathBuf {
    let index = fs::read(image.layout().join("index.json")).expect("index.json");
    let mut index: Value = serde_json::from_slice(&index).expect("JSON");
    index["manifests"][0]["annotations"] = json!({ "io.containerd.image.name": name });
    let named = home.join("index.json");
    fs::write(&named, index.to_string()).expect("index.json");

    let archive = home.join("archive.tar");
    let mut tar = tar::Builder::new(File::create(&archive).expect("the archive"));
    let whole = tar.append_dir_all("blobs", image.layout().join("blobs"));
    let whole = whole.and_then(|()| tar.append_path_with_name(image.layout().join("oci-layout"), "oci-layout"));
    whole
        .and_then(|()| tar.append_path_with_name(named, "index.json"))
        .and_then(|()| tar.finish())
        .expect("the archive");
    archive
}

/// Its content goes with it.
async fn forget(home: &Path, name: &str) {
    output(ctr(home).args(["images", "remove", "--sync", name])).await;
    let content = stdout(ctr(home).args(["content", "list", "--quiet"])).await;
    assert_eq!(content.trim(), "", "what it still has, it would not pull");
}

fn name(turn: &Turn<'_>) -> String {
    turn.place.image(&format!("soak/containerd:{}", turn.tag))
}

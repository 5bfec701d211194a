//! skopeo: copies a whole index there and back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::stage::{Stage, Turn};
use super::super::tally::Act;
use crate::image::digest_of;
use crate::process::{output, private};
use crate::push::held::Held;

pub(super) async fn work(stage: Arc<Stage>) {
    let home = tempfile::tempdir().expect("a directory for skopeo");
    for number in 0.. {
        if stage.is_over() {
            break;
        }
        let turn = stage.turn("skopeo", number);
        stage.tally.count("skopeo", Act::Push, turn.size(), push(&turn, home.path())).await;
        stage.tally.count("skopeo", Act::Pull, turn.size(), pull(&turn, home.path())).await;
    }
}

async fn push(turn: &Turn<'_>, home: &Path) {
    let layout = format!("oci:{}", turn.image.layout().display());
    let target = format!("docker://{}", turn.place.image(&format!("soak/skopeo:{}", turn.tag)));
    output(private("skopeo", home).args(["copy", "--all", "--dest-tls-verify=false", &layout, &target])).await;
    Held::read(&turn.place.registry, "soak/skopeo", &turn.tag).await.assert_is(&turn.image);
}

async fn pull(turn: &Turn<'_>, home: &Path) {
    let source = format!("docker://{}", turn.place.image(&format!("soak/skopeo:{}", turn.tag)));
    let files = home.join("pulled");
    let target = format!("dir:{}", files.display());
    output(private("skopeo", home).args(["copy", "--all", "--src-tls-verify=false", &source, &target])).await;
    let index = fs::read(files.join("manifest.json")).expect("manifest.json");
    assert_eq!(digest_of(&index), turn.image.digest);
    let platform = &turn.image.platforms[0];
    let layer = fs::read(files.join(platform.layer.trim_start_matches("sha256:"))).expect("the layer");
    assert_eq!(digest_of(&layer), platform.layer);
    fs::remove_dir_all(files).expect("its files");
}

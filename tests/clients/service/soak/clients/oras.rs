//! The oras Python client: pulls an index; pushes artifacts whole, in chunks over one connection, and deletes one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::place::Place;
use super::super::stage::{Stage, Turn};
use super::super::tally::Act;
use crate::oras::{self, python};
use crate::process::{plain, stdout};
use crate::push;
use crate::push::held::{Held, blob};

pub(super) async fn work(stage: Arc<Stage>) {
    let home = tempfile::tempdir().expect("a directory for oras");
    let home = home.path();
    for number in 0.. {
        if stage.is_over() {
            break;
        }
        let turn = stage.turn("oras", number);
        stage.tally.count("oras", Act::Push, 2 * turn.size(), push(&turn, home)).await;
        let index = stage.index.platforms.iter().map(|platform| platform.layer_bytes.len()).sum();
        stage.tally.count("oras", Act::Pull, index, pull(&stage, turn.place, home)).await;
    }
}

async fn push(turn: &Turn<'_>, home: &Path) {
    let platform = &turn.image.platforms[0];
    let file = home.join("artifact");
    fs::write(&file, &platform.layer_bytes).expect("the artifact");
    // It names its tags itself.
    let repository = format!("soak/oras-{}", turn.tag);
    let mut python = plain(python(), home);
    python.args(["-c", push::oras::SCRIPT, &turn.place.image(&repository)]).arg(&file);
    let pushed: Value = serde_json::from_str(&stdout(&mut python).await).expect("JSON");
    let chunked = format!("{repository}-chunked");
    for (repository, tag) in [(repository, "whole"), (chunked, "chunked")] {
        let held = Held::read(&turn.place.registry, &repository, tag).await;
        assert_eq!(pushed[tag], held.digest(), "{repository}");
        assert_eq!(blob(&turn.place.registry, &repository, &platform.layer).await, platform.layer_bytes);
    }
}

async fn pull(stage: &Stage, place: &Place, home: &Path) {
    let files = home.join("files");
    let mut python = plain(python(), home);
    python.args(["-c", oras::SCRIPT, &place.image("soak/index"), "1"]).arg(&files);
    let pulled: Value = serde_json::from_str(&stdout(&mut python).await).expect("JSON");
    let payloads: Vec<_> = stage.index.platforms.iter().map(|platform| &platform.payload).collect();
    assert_eq!(pulled, json!({ "index": stage.index.digest, "tags": ["1"], "files": payloads }));
    fs::remove_dir_all(files).expect("its files");
}

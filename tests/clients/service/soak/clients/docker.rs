//! dockerd: pushes a local image, forgets it and pulls it again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::stage::{Stage, Turn};
use super::super::tally::Act;
use crate::docker::{self, docker};
use crate::process::{output, stdout};
use crate::push::held::Held;
use crate::push::local::{LOCAL, archive};

pub(super) async fn work(stage: Arc<Stage>) {
    let home = tempfile::tempdir().expect("a directory for docker");
    let home = home.path();
    let _dockerd = docker::start(home, None).await;
    for number in 0.. {
        if stage.is_over() {
            break;
        }
        let turn = stage.turn("docker", number);
        stage.tally.count("docker", Act::Push, turn.size(), push(&turn, home)).await;
        stage.tally.count("docker", Act::Pull, turn.size(), pull(&turn, home)).await;
    }
}

async fn push(turn: &Turn<'_>, home: &Path) {
    let platform = &turn.image.platforms[0];
    let archive = archive(home, platform, turn.image.layout()).await;
    output(docker(home).arg("load").arg("--input").arg(&archive)).await;
    fs::remove_file(archive).expect("the archive");
    let image = turn.place.image(&format!("soak/docker:{}", turn.tag));
    output(docker(home).args(["tag", LOCAL, &image])).await;
    let pushed = stdout(docker(home).args(["push", &image])).await;
    let held = Held::read(&turn.place.registry, "soak/docker", &turn.tag).await;
    assert!(pushed.contains(&format!("\n{}: digest: {} size: ", turn.tag, held.digest())), "{pushed}");
    held.assert_unpacks_to(platform);
    output(docker(home).args(["rmi", LOCAL, &image])).await;
}

async fn pull(turn: &Turn<'_>, home: &Path) {
    let image = turn.place.image(&format!("soak/docker:{}", turn.tag));
    output(docker(home).args(["pull", &image])).await;
    let id = stdout(docker(home).args(["image", "inspect", "--format={{.Id}}", &image])).await;
    assert_eq!(id.trim(), turn.image.platforms[0].config, "{image}");
    output(docker(home).args(["rmi", &image])).await;
}

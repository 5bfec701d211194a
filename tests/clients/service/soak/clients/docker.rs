//! dockerd pushes a local image, removes it and pulls it again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::run::{Round, SoakRun};
use crate::docker::{self, docker};
use crate::process::{output, stdout};
use crate::push::docker_archive::{LOCAL_NAME, docker_archive};
use crate::push::stored_image::StoredImage;

pub(super) async fn push_and_pull(run: Arc<SoakRun>) {
    let home = tempfile::tempdir().expect("a directory for docker");
    let _dockerd = docker::start(home.path(), None).await;
    for round in run.rounds("docker") {
        round.push(push(&round, home.path())).await;
        round.pull(pull(&round, home.path())).await;
    }
}

async fn push(round: &Round<'_>, home: &Path) {
    let archive = docker_archive(home, &round.image, round.platform()).await;
    output(docker(home).arg("load").arg("--input").arg(&archive)).await;
    fs::remove_file(archive).expect("the archive is removed");
    let name = round.image_name();
    output(docker(home).args(["tag", LOCAL_NAME, &name])).await;
    let printed = stdout(docker(home).args(["push", &name])).await;
    let stored = StoredImage::read(&round.registry.registry, &round.repository, &round.tag).await;
    assert!(printed.contains(&format!("\n{}: digest: {} size: ", round.tag, stored.digest())), "{printed}");
    stored.assert_unpacks_to(round.platform());
    output(docker(home).args(["rmi", LOCAL_NAME, &name])).await;
}

async fn pull(round: &Round<'_>, home: &Path) {
    let name = round.image_name();
    output(docker(home).args(["pull", &name])).await;
    let id = stdout(docker(home).args(["image", "inspect", "--format={{.Id}}", &name])).await;
    assert_eq!(id.trim(), round.platform().config, "{name}");
    output(docker(home).args(["rmi", &name])).await;
}

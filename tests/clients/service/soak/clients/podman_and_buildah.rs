//! podman and buildah push a local image, remove it and pull it again.

use std::path::Path;
use std::sync::Arc;

use super::super::run::{Round, SoakRun};
use crate::engine::Engine;
use crate::process::output;
use crate::push::stored_image::StoredImage;

pub(super) async fn push_and_pull(run: Arc<SoakRun>, engine: Engine) {
    let home = tempfile::tempdir().expect("a directory for the engine");
    for round in run.rounds(engine.name) {
        round.push(push(engine, &round, home.path())).await;
        round.pull(pull(engine, &round, home.path())).await;
    }
}

async fn push(engine: Engine, round: &Round<'_>, home: &Path) {
    let id = engine.load(home, &round.image, round.platform()).await;
    engine.push(home, &id, &round.image_name()).await;
    let stored = StoredImage::read(&round.registry.registry, &round.repository, &round.tag).await;
    stored.assert_unpacks_to(round.platform());
    remove_all(engine, home).await;
}

async fn pull(engine: Engine, round: &Round<'_>, home: &Path) {
    engine.pull(home, &round.image_name(), round.platform(), &["--tls-verify=false"]).await;
    remove_all(engine, home).await;
}

async fn remove_all(engine: Engine, home: &Path) {
    output(engine.command(home).args(["rmi", "--all", "--force"])).await;
}

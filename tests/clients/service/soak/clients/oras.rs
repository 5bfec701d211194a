//! The oras Python client pulls an index, pushes artifacts whole and in chunks over one connection, and deletes a tag.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::results::Operation;
use super::super::run::{Round, SoakRun};
use crate::oras::assert_pulls;
use crate::push::oras::assert_pushes;

pub(super) async fn push_and_pull(run: Arc<SoakRun>) {
    let home = tempfile::tempdir().expect("a directory for oras");
    let index_size = run.index.platforms.iter().map(|platform| platform.layer_bytes.len()).sum();
    for round in run.rounds("oras") {
        round.record(Operation::Push, 2 * round.size(), push(&round, home.path())).await;
        round.record(Operation::Pull, index_size, pull(&round, &run, home.path())).await;
    }
}

/// Pushes to a new repository in every round, because the script always uses the same tags.
async fn push(round: &Round<'_>, home: &Path) {
    let repository = format!("{}-{}", round.repository, round.tag);
    let name = round.registry.image(&repository);
    assert_pushes(home, &name, round.platform(), &round.registry.registry, &repository).await;
}

async fn pull(round: &Round<'_>, run: &SoakRun, home: &Path) {
    assert_pulls(home, &round.registry.image("soak/index"), "1", &run.index).await;
    fs::remove_dir_all(home.join("files")).expect("the pulled files are removed");
}

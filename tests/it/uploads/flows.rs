//! The ways to send a blob.

use super::Stage;
use crate::sim::{Mode, Preset};

#[tokio::test(start_paused = true)]
async fn a_blob_goes_by_post_and_put() {
    let stage = Stage::set(Preset::distribution(Mode::Token), "").await;
    let location = stage.begin("team/app").await;
    stage.finish(&location, "a blob", b"a blob").await;
    println!("{}", stage.sim.ledger().lines().join("\n"));
}

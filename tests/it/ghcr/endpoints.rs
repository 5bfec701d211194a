//! The endpoints without a repository: root and `/v2/`.

use super::{COLD, MANIFEST};
use crate::harness::Regpass;
use crate::sim::Sim;
use crate::stage::{Stage, assert_ping, assert_root};

#[tokio::test(start_paused = true)]
async fn the_root_is_answered_by_regpass_and_never_the_landing_page() {
    let stage = Stage::ghcr("").await;
    assert_root(&stage, "ghcr.io").await;
}

/// The registry's own answers: no body where `{}` belongs, and 404 for `/v2` with a token.
#[tokio::test(start_paused = true)]
async fn v2_with_and_without_slash_is_answered_by_regpass_for_every_method() {
    let stage = Stage::ghcr("").await;
    assert_ping(&stage, "ghcr.io").await;
}

#[tokio::test(start_paused = true)]
async fn v2_is_the_same_once_a_token_is_there() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    assert_ping(&stage, "ghcr.io").await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_asks_for_no_token_and_so_never_for_the_placeholder() {
    let stage = Stage::ghcr("").await;
    stage.get("/v2/ghcr.io/").await;
    assert_eq!(stage.get(MANIFEST).await.status, 200);
    stage.expect(&COLD);
}

#[tokio::test(start_paused = true)]
async fn it_is_dialled_at_its_one_name_over_tls_without_any_configuration() {
    let sim = Sim::memory();
    let regpass = Regpass::start(&sim, "");
    assert_eq!(regpass.get(MANIFEST).await.verdict(), "502 UNAVAILABLE");
    let dials = sim.network().dials();
    assert!(!dials.is_empty() && dials.iter().all(|address| address == "ghcr.io:443"), "{dials:?}");
}

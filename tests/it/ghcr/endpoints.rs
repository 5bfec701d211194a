//! The endpoints without a repository: `/` and `/v2/`.

use super::{COLD, MANIFEST, start_warm};
use crate::harness::Regpass;
use crate::proxied_registry::{ProxiedRegistry, assert_ping, assert_root};
use crate::sim::Sim;

#[tokio::test(start_paused = true)]
async fn root_is_answered_without_an_upstream_request() {
    assert_root(&ProxiedRegistry::ghcr("").await, "ghcr.io").await;
}

/// GHCR's own reply to `/v2/` lacks the body `{}`, and GHCR replies 404 to `/v2` with a token.
#[tokio::test(start_paused = true)]
async fn v2_is_answered_without_an_upstream_request() {
    assert_ping(&ProxiedRegistry::ghcr("").await, "ghcr.io").await;
}

#[tokio::test(start_paused = true)]
async fn v2_is_answered_without_an_upstream_request_once_a_token_is_cached() {
    assert_ping(&start_warm("").await, "ghcr.io").await;
}

#[tokio::test(start_paused = true)]
async fn ping_fetches_no_token_for_the_placeholder_scope() {
    let proxied = ProxiedRegistry::ghcr("").await;
    proxied.get("/v2/ghcr.io/").await;
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    proxied.expect(&COLD);
}

#[tokio::test(start_paused = true)]
async fn unconfigured_ghcr_is_dialled_over_tls() {
    let sim = Sim::memory();
    let regpass = Regpass::start(&sim, "");
    assert_eq!(regpass.get(MANIFEST).await.status_and_code(), "502 UNAVAILABLE");
    let dials = sim.network().dials();
    assert!(!dials.is_empty() && dials.iter().all(|address| address == "ghcr.io:443"), "{dials:?}");
}

//! A busy registry: requests for referrers wait and are repeated as other reads are.

use std::time::Duration;

use tokio::time::Instant;

use super::{SBOM, SIGNATURE, artifacts, publish_list, referrers_path, start, start_with, start_with_api, types};
use crate::sim::{Fault, Preset, Reply};

#[tokio::test(start_paused = true)]
async fn busy_api_is_asked_again_after_its_wait_or_a_backoff() {
    for (case, answer, least, most) in [
        ("503", Reply::nginx(503, "Service Temporarily Unavailable"), 1, 2),
        ("503 JSON", Reply::error(503, "UNAVAILABLE", "service unavailable"), 1, 2),
        ("503 with Retry-After", Reply::new(503).header("retry-after", "7"), 7, 7),
        ("429", Reply::error(429, "TOOMANYREQUESTS", "slow down"), 1, 2),
        ("429 with Retry-After", Reply::new(429).html("<h1>Slow</h1>").header("retry-after", "5"), 5, 5),
    ] {
        let setup = start_with_api().await;
        let [signature, _] = artifacts(&setup);
        setup.registry.publish_private(setup.private_repository(), "signature", &signature);
        setup.warm().await;
        let fault = setup.registry.api().inject(Fault::answer(answer).path("/referrers/").times(1));
        let started = Instant::now();
        assert_eq!(types(&setup.get(&referrers_path(&setup)).await), [SIGNATURE], "{case}");
        let range = Duration::from_secs(least)..=Duration::from_secs(most) + Duration::from_millis(10);
        assert!(range.contains(&started.elapsed()), "{case}: {:?}", started.elapsed());
        assert_eq!((fault.hits(), setup.sim.ledger().take().len()), (1, 2), "{case}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn outage_of_the_api_is_reported_after_three_tries_and_learns_nothing() {
    let setup = start_with_api().await;
    setup.warm().await;
    publish_list(&setup);
    let fault = setup.registry.api().inject(Fault::html(503).path("/referrers/"));
    assert_eq!(setup.get(&referrers_path(&setup)).await.status_and_code(), "503 UNAVAILABLE");
    assert_eq!((fault.hits(), setup.sim.ledger().take().len()), (3, 3));
    fault.remove();
    assert!(types(&setup.get(&referrers_path(&setup)).await).is_empty(), "the API's list, not the tag's");
    setup.sim.finish();
}

/// The limit of the web site to which GHCR redirects is neither waited for nor remembered.
#[tokio::test(start_paused = true)]
async fn limit_of_a_web_page_is_not_waited_for() {
    for preset in [Preset::ghcr(), Preset::distribution(crate::sim::AuthMode::Token)] {
        let setup = start_with(preset).await;
        setup.warm().await;
        publish_list(&setup);
        setup.registry.api().inject(Fault::html(429).path("/referrers/"));
        let started = Instant::now();
        assert_eq!(types(&setup.get(&referrers_path(&setup)).await), [SIGNATURE, SBOM]);
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(setup.sim.ledger().take().len(), 2);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn busy_tag_is_asked_again() {
    let setup = start().await;
    setup.warm().await;
    publish_list(&setup);
    setup.registry.api().inject(Fault::html(503).path("/manifests/sha256-").times(1));
    assert_eq!(types(&setup.get(&referrers_path(&setup)).await), [SIGNATURE, SBOM]);
    assert_eq!(setup.sim.ledger().take().len(), 3);
    setup.sim.finish();
}

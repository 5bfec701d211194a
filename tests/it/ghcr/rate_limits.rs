//! The two limits of GHCR: a bucket that many clients share and that refills within milliseconds, and secondary limits that
//! last minutes.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::{COLD, CREDENTIAL, MANIFEST, WARM, start_warm};
use crate::proxied_registry::{ProxiedRegistry, assert_rejected};
use crate::sim::{Fault, Preset, Reply};

const MESSAGE: &str = "retry-after: 985.86µs, allowed: 44000/minute";

/// The wait in the header only, as far as HEAD is concerned.
fn throttled_by_header() -> Reply {
    Reply::new(429).header("retry-after", "1.16676ms")
}

#[tokio::test(start_paused = true)]
async fn limit_that_is_over_in_a_moment_is_waited_for() {
    for (reply, method) in [
        (Preset::ghcr_throttled(), Method::GET),
        (throttled_by_header(), Method::GET),
        (throttled_by_header(), Method::HEAD),
    ] {
        let proxied = start_warm("").await;
        proxied.registry.api().inject(Fault::answer(reply).times(2));
        let started = Instant::now();
        assert_eq!(proxied.method(&method, MANIFEST).await.status, 200);
        let elapsed = started.elapsed();
        assert!((Duration::from_millis(600)..Duration::from_millis(1300)).contains(&elapsed), "{elapsed:?}");
        let line = |status| WARM.replace("GET", method.as_str()).replace("200", status);
        proxied.expect(&[&line("429"), &line("429"), &line("200")]);
    }
}

#[tokio::test(start_paused = true)]
async fn limit_of_the_token_service_and_of_the_challenge_is_waited_for() {
    let proxied = ProxiedRegistry::ghcr("").await;
    proxied.registry.token_service().inject(Fault::answer(Preset::ghcr_throttled()).path("/token").times(1));
    let started = Instant::now();
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    proxied.expect(&[COLD[0], &COLD[1].replace(" 200", " 429"), COLD[1], COLD[2]]);

    // A push asks for the challenge first.
    let proxied = ProxiedRegistry::ghcr(&format!("{CREDENTIAL}\nallow = [\"pull\", \"push\"]")).await;
    proxied.registry.api().inject(Fault::answer(Preset::ghcr_throttled()).path("/v2/").times(1));
    let reply = proxied.method(&Method::POST, "/v2/ghcr.io/toddysm/python/blobs/uploads/").await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let lines = proxied.sim.ledger().lines();
    assert_eq!(lines[..2], ["registry GET /v2/ anonymous 429", "registry GET /v2/ anonymous 401"]);
}

#[tokio::test(start_paused = true)]
async fn start_of_an_upload_and_a_manifest_are_sent_again() {
    let proxied = start_warm(&format!("{CREDENTIAL}\nallow = [\"pull\", \"push\"]")).await;
    proxied.registry.api().inject(Fault::answer(Preset::ghcr_throttled()).method(Method::POST).times(1));
    proxied.registry.api().inject(Fault::answer(Preset::ghcr_throttled()).method(Method::PUT).times(1));
    let reply = proxied.method(&Method::POST, "/v2/ghcr.io/toddysm/python/blobs/uploads/").await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(proxied.put_manifest("/v2/ghcr.io/toddysm/python/manifests/3.11").await.status, 201);
    let count = |method| proxied.sim.ledger().count("registry", |entry| entry.method == method);
    assert_eq!((count(Method::POST), count(Method::PUT)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn limit_that_lasts_is_429_after_three_tries_with_a_wait_that_clients_understand() {
    for reply in [Preset::ghcr_throttled(), throttled_by_header()] {
        let proxied = start_warm("").await;
        proxied.registry.api().inject(Fault::answer(reply.clone()));
        let started = Instant::now();
        let limited = proxied.get(MANIFEST).await;
        assert_eq!(
            (limited.status_and_code().as_str(), limited.header("retry-after")),
            ("429 TOOMANYREQUESTS", Some("1"))
        );
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        proxied.expect(&[&*WARM.replace("200", "429"); 3]);
    }
    let proxied = start_warm("").await;
    proxied.registry.api().inject(Fault::answer(Preset::ghcr_throttled()));
    assert_rejected(&proxied.get(MANIFEST).await, "429 TOOMANYREQUESTS", &[MESSAGE]);
}

/// The request that meets the challenge is one of the three.
#[tokio::test(start_paused = true)]
async fn limit_that_lasts_is_429_after_one_retry_if_the_challenge_took_a_request() {
    let proxied = ProxiedRegistry::ghcr("").await;
    let with_token = |entry: &crate::sim::Entry| entry.headers.contains_key("authorization");
    let throttled = Fault::answer(Preset::ghcr_throttled()).path("/manifests/").when(with_token);
    proxied.registry.api().inject(throttled);
    let limited = proxied.get(MANIFEST).await;
    assert_eq!((limited.status_and_code().as_str(), limited.header("retry-after")), ("429 TOOMANYREQUESTS", Some("1")));
    let refused = COLD[2].replace(" 200", " 429");
    proxied.expect(&[COLD[0], COLD[1], &refused, &refused]);
}

#[tokio::test(start_paused = true)]
async fn secondary_rate_limit_is_429_at_once() {
    let proxied = start_warm("").await;
    let message = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}"#;
    let limited = Preset::docker_hub_rate_limited().json(message).header("x-ratelimit-remaining", "0");
    proxied.registry.api().inject(Fault::answer(limited));
    for method in [Method::GET, Method::HEAD] {
        let reply = proxied.method(&method, MANIFEST).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-ratelimit-remaining")), (429, Some("0")));
    }
    assert_rejected(&proxied.get(MANIFEST).await, "429 TOOMANYREQUESTS", &["secondary rate limit"]);
    assert_eq!(proxied.sim.ledger().entries().len(), 3, "no retry");
}

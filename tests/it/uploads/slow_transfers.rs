//! Large blobs over slow connections: a transfer has no time limit as long as bytes arrive.

use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::clients::StreamedRequest;
use super::{PushSetup, body_target, location_of, random_bytes, received_bodies, token_registry, with_digest};
use crate::harness::request;
use crate::sim::Fault;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_half_an_hour_arrives_completely() {
    for method in [Method::PATCH, Method::PUT] {
        let (setup, target) = PushSetup::with_upload().await;
        let blob = random_bytes(60_011);
        let request = request(method.clone(), &body_target(&method, &target, &blob));
        let started = Instant::now();
        let reply = StreamedRequest::send_slowly(&setup.regpass, request, &blob, 1000, seconds(29)).await;
        assert!(started.elapsed() > seconds(1700));
        match method {
            Method::PUT => setup.assert_created(&reply, &blob),
            _ => setup.finish_upload(&location_of(&reply), "", &blob).await,
        }
        // The token, which expires much earlier, is renewed for the next request before the registry rejects it.
        assert_eq!(setup.sim.ledger().repeated_401s(), [] as [String; 0]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pauses_longer_than_body_idle_gets_a_408() {
    for (pause, is_accepted) in [(290, true), (310, false)] {
        let setup = PushSetup::start_with("timeouts = { body_idle = \"5m\" }", token_registry(), "").await;
        let target = setup.start_upload("team/app").await;
        let blob = random_bytes(2000);
        let request = request(Method::PUT, &with_digest(&target, &blob));
        let started = Instant::now();
        let reply = StreamedRequest::send_slowly(&setup.regpass, request, &blob, 1000, seconds(pause)).await;
        if is_accepted {
            assert_eq!(started.elapsed(), seconds(2 * pause));
            setup.assert_created(&reply, &blob);
        } else {
            assert_eq!(reply.status_and_code(), "408 BLOB_UPLOAD_INVALID");
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_ten_token_lifetimes_is_sent_once() {
    let setup = PushSetup::start(token_registry().lifetime(seconds(20)), "").await;
    let target = setup.start_upload("team/app").await;
    let blob = random_bytes(200_000);
    let patch = request(Method::PATCH, &target);
    let reply = StreamedRequest::send_slowly(&setup.regpass, patch, &blob, 10_000, seconds(10)).await;
    setup.finish_upload(&location_of(&reply), "", &blob).await;
    setup.assert_one_challenge("tokens of 20 s");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_for_the_response_to_a_put_grows_with_the_blob() {
    // The limit grows by a second per 16 MiB. regpass takes the size from the registry's `Range`, so no test sends 4 GiB.
    const GIB: u64 = 1024 * 1024 * 1024;
    for (received, takes, status) in
        [(0, 29, 201), (0, 31, 504), (4 * GIB, 31, 201), (4 * GIB, 250, 201), (4 * GIB, 300, 504)]
    {
        let (setup, target) = PushSetup::with_upload().await;
        let registry = setup.registry.api();
        let range = format!("0-{}", received.max(1) - 1);
        registry.inject(Fault::with_header("range", &range).method(Method::GET).path("uploads"));
        let target = location_of(&setup.send(Method::GET, &target, "").await);
        registry.inject(Fault::delay(seconds(takes)).method(Method::PUT));
        let blob = random_bytes(1000);
        let started = Instant::now();
        let reply = setup.send(Method::PUT, &with_digest(&target, &blob), blob).await;
        assert_eq!(reply.status, status, "{received} bytes, {takes} s: {reply:?}");
        assert!(started.elapsed() <= seconds(takes) && received_bodies(&setup.sim).len() == 4);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_without_a_response_is_a_504_after_30_s() {
    let (setup, target) = PushSetup::with_upload().await;
    setup.registry.api().inject(Fault::delay(seconds(31)).method(Method::PATCH));
    let started = Instant::now();
    let reply = setup.send(Method::PATCH, &target, random_bytes(1000)).await;
    assert_eq!((reply.status_and_code(), started.elapsed().as_secs()), ("504 UNAVAILABLE".to_owned(), 30));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_slow_token_service_and_registry_do_not_count_against_the_client() {
    let setup = PushSetup::start(token_registry(), "").await;
    setup.registry.token_service().inject(Fault::delay(seconds(9)));
    setup.registry.api().inject(Fault::delay(seconds(9)));
    let blob = random_bytes(1000);
    let target = with_digest(super::UPLOADS, &blob);
    // Challenge, token, a POST whose body is ignored, and a PUT take 36 s, and each is within its own limit.
    let reply = setup.send(Method::POST, &target, blob.clone()).await;
    setup.assert_created(&reply, &blob);
    setup.sim.finish();
}

//! Large blobs on slow lines: a transfer may take as long as it moves.

use std::time::Duration;

use http::Method;
use tokio::time::{Instant, sleep};

use super::client::Sending;
use super::{Stage, and, bodies, carrying, location, plain, random};
use crate::sim::{Fault, sha256};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_half_an_hour_arrives() {
    for method in [Method::PATCH, Method::PUT] {
        let stage = Stage::set(plain(), "").await;
        let target = stage.begin("team/app").await;
        let blob = random(60_011);
        let to = if method == Method::PUT { and(&target, &format!("digest={}", sha256(&blob))) } else { target };
        let sending = Sending::begin(&stage.regpass, carrying(method.clone(), &to, "")).await;
        let begun = Instant::now();
        for piece in blob.chunks(1000) {
            sleep(seconds(29)).await;
            sending.piece(piece.to_vec());
        }
        let reply = sending.end().await;
        assert!(begun.elapsed() > seconds(1700));
        match method {
            Method::PUT => stage.assert_created(&reply, &blob),
            _ => stage.finish(&location(&reply), "", &blob).await,
        }
        // The token of a much shorter life is renewed for the next step, and the registry never sees an old one.
        assert_eq!(stage.sim.ledger().repeated_401s(), [] as [String; 0]);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_be_silent_for_as_long_as_the_configuration_says_and_no_longer() {
    for (silence, arrives) in [(290, true), (310, false)] {
        let stage = Stage::set_with("timeouts = { body_idle = \"5m\" }", plain(), "").await;
        let target = stage.begin("team/app").await;
        let blob = random(2000);
        let to = and(&target, &format!("digest={}", sha256(&blob)));
        let sending = Sending::begin(&stage.regpass, carrying(Method::PUT, &to, "")).await;
        let begun = Instant::now();
        for piece in blob.chunks(1000) {
            sleep(seconds(silence)).await;
            sending.piece(piece.to_vec());
        }
        let reply = sending.end().await;
        if arrives {
            assert_eq!(begun.elapsed(), seconds(2 * silence));
            stage.assert_created(&reply, &blob);
        } else {
            assert_eq!(reply.verdict(), "408 BLOB_UPLOAD_INVALID");
        }
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn ten_lives_of_a_token_pass_in_one_body() {
    let stage = Stage::set(plain().lifetime(seconds(20)), "").await;
    let target = stage.begin("team/app").await;
    let blob = random(200_000);
    let sending = Sending::begin(&stage.regpass, carrying(Method::PATCH, &target, "")).await;
    for piece in blob.chunks(10_000) {
        sleep(seconds(10)).await;
        sending.piece(piece.to_vec());
    }
    let target = location(&sending.end().await);
    stage.finish(&target, "", &blob).await;
    let refused: Vec<_> = stage.sim.ledger().lines().into_iter().filter(|line| line.ends_with(" 401")).collect();
    assert_eq!(refused, ["registry GET /v2/ anonymous 401"]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_put_may_take_longer_the_more_was_sent() {
    // 16 MiB more are a second more. What was sent is told to regpass by the registry, so nothing has to be sent here.
    const GIB: u64 = 1024 * 1024 * 1024;
    for (received, takes, status) in
        [(0, 29, 201), (0, 31, 504), (4 * GIB, 31, 201), (4 * GIB, 250, 201), (4 * GIB, 300, 504)]
    {
        let stage = Stage::set(plain(), "").await;
        let target = stage.begin("team/app").await;
        let registry = stage.registry.registry();
        let range = format!("0-{}", received.max(1) - 1);
        let told = Fault::alter(move |_, reply| reply.header("range", &range)).method(Method::GET).path("uploads");
        registry.inject(told);
        let target = location(&stage.send(Method::GET, &target, "").await);
        registry.inject(Fault::delay(seconds(takes)).method(Method::PUT));
        let blob = random(1000);
        let begun = Instant::now();
        let reply = stage.send(Method::PUT, &and(&target, &format!("digest={}", sha256(&blob))), blob).await;
        assert_eq!(reply.status, status, "{received} bytes, {takes} s: {reply:?}");
        assert!(begun.elapsed() <= seconds(takes) && bodies(&stage.sim).len() == 4);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_is_not_answered_is_not_waited_for() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    stage.registry.registry().inject(Fault::delay(seconds(31)).method(Method::PATCH));
    let begun = Instant::now();
    let reply = stage.send(Method::PATCH, &target, random(1000)).await;
    assert_eq!((reply.verdict(), begun.elapsed().as_secs()), ("504 UNAVAILABLE".to_owned(), 30));
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_slow_token_service_does_not_count_as_a_slow_client() {
    let stage = Stage::set(plain(), "").await;
    stage.registry.token().inject(Fault::delay(seconds(9)));
    stage.registry.registry().inject(Fault::delay(seconds(9)));
    let blob = random(1000);
    let target = and(super::UPLOADS, &format!("digest={}", sha256(&blob)));
    // Demand, token, a POST that is ignored, and a PUT: 36 s, and every one of them within its limits.
    let reply = stage.send(Method::POST, &target, blob.clone()).await;
    stage.assert_created(&reply, &blob);
    stage.sim.finish();
}

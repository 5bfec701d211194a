//! Uploads that end badly, on either side: the client is never told that they ended well, and nothing is left behind.

use std::time::Duration;

use http::Method;
use tokio::time::{Instant, timeout};

use super::client::{Sending, Talk};
use super::{Stage, UPLOADS, and, carrying, plain, random};
use crate::harness::with;
use crate::log::Log;
use crate::sim::{Fault, Reply, SinglePost, sha256};

/// Both ways a body can be sent by, to a location.
fn requests(target: &str) -> [(Method, String); 2] {
    [(Method::PATCH, target.to_owned()), (Method::PUT, and(target, &format!("digest={}", sha256(b"never whole"))))]
}

/// Nothing was completed, and regpass gave its connection up: the registry has what arrived, and no more to come.
fn assert_dropped(stage: &Stage, arrived: u64) {
    assert_eq!(stage.registry.store().read("team/app", |repository| repository.blobs.len()).unwrap_or(0), 0);
    let last = stage.sim.ledger().entries().pop().unwrap();
    assert!(!last.body_whole && last.body_len == arrived, "{last:?}: {} bytes", last.body_len);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_takes_the_registrys_leg_with_it() {
    for chunked in [true, false] {
        for number in 0..2 {
            let log = Log::listen();
            let stage = Stage::set(plain(), "").await;
            let target = stage.begin("team/app").await;
            let (method, target) = requests(&target)[number].clone();
            let mut request = carrying(method, &target, "");
            if !chunked {
                request = with(request, "content-length", "1000000");
            }
            let sending = Sending::begin(&stage.regpass, request).await;
            sending.piece(random(100_000));
            stage.sim.ledger().wait_until(|entries| entries.last().unwrap().body_len == 100_000).await;
            sending.leave().await;
            assert_dropped(&stage, 100_000);
            assert_eq!(stage.registry.open_uploads(), [100_000], "what arrived is where a later request can go on");
            let told = log.lines("the client stopped sending the body before its end");
            assert_eq!(told.len(), 1, "{}", log.text());
            assert!(told[0].contains("blame=client") && told[0].contains("sent=100000"), "{told:?}");
            // The next upload is not troubled.
            stage.registry.store().write("team/app", |_| ());
            let target = stage.begin("team/app").await;
            stage.finish(&target, "fine", b"fine").await;
            stage.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_too_little_is_refused() {
    for number in 0..2 {
        let stage = Stage::set(plain(), "").await;
        let target = stage.begin("team/app").await;
        let (method, target) = requests(&target)[number].clone();
        let mut talk = Talk::begin(&stage.regpass);
        talk.head(&[&format!("{method} {target} HTTP/1.1"), "Content-Length: 100"]).await;
        talk.say("too little").await;
        let reply = talk.end_and_hear().await;
        assert!(reply.is_none_or(|reply| reply.verdict() == "400 BLOB_UPLOAD_INVALID"), "never a success");
        assert_dropped(&stage, 10);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_is_told_so_in_time() {
    for number in 0..2 {
        let log = Log::listen();
        let stage = Stage::set(plain(), "").await;
        let target = stage.begin("team/app").await;
        let (method, target) = requests(&target)[number].clone();
        let sending = Sending::begin(&stage.regpass, carrying(method, &target, "")).await;
        sending.piece(random(1000));
        let begun = Instant::now();
        let reply = sending.answer().await;
        assert_eq!(reply.verdict(), "408 BLOB_UPLOAD_INVALID");
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "client");
        assert_eq!(begun.elapsed().as_secs(), 30, "the idle limit of bodies");
        assert_dropped(&stage, 1000);
        let requests = log.told("request");
        let blamed = requests.iter().filter(|line| line["blame"] == "client").count();
        assert_eq!(blamed, 1, "{}", log.text());
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_dies_in_the_middle_is_no_success() {
    for after in [0, 1, 50_000] {
        for number in 0..2 {
            let stage = Stage::set(plain(), "").await;
            let target = stage.begin("team/app").await;
            let (method, target) = requests(&target)[number].clone();
            stage.registry.registry().inject(Fault::cut_upload(after).times(1));
            let before = stage.sim.ledger().lines().len();
            let reply = stage.send(method.clone(), &target, random(100_000)).await;
            assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{method} after {after}");
            assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "registry");
            assert_eq!(stage.sim.ledger().lines().len(), before + 1, "it is not sent again on a guess");
            assert_dropped(&stage, after);
            stage.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_dies_while_the_client_is_slow_is_noticed_at_once() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    stage.registry.registry().inject(Fault::cut_upload(10).times(1));
    let sending = Sending::begin(&stage.regpass, carrying(Method::PATCH, &target, "")).await;
    sending.piece("ten bytes.");
    let begun = Instant::now();
    let reply = sending.answer().await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_stops_reading_is_given_up() {
    for number in 0..2 {
        let stage = Stage::set(plain(), "").await;
        let target = stage.begin("team/app").await;
        let (method, target) = requests(&target)[number].clone();
        stage.registry.registry().inject(Fault::stall_upload(70_000).times(1));
        let begun = Instant::now();
        let reply = stage.send(method, &target, random(1_000_000)).await;
        assert_eq!(reply.verdict(), "504 UNAVAILABLE");
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "registry");
        assert_eq!(begun.elapsed().as_secs(), 30);
        assert_dropped(&stage, 70_000);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_before_the_whole_body_is_none() {
    for (number, status) in [(0, 202), (1, 201)] {
        let stage = Stage::set(plain(), "").await;
        let target = stage.begin("team/app").await;
        let (method, target) = requests(&target)[number].clone();
        let early = Reply::new(status).header("location", format!("{UPLOADS}upload-1"));
        stage.registry.registry().inject(Fault::answer_mid_upload(1000, early).times(1));
        let sending = Sending::begin(&stage.regpass, carrying(method, &target, "")).await;
        sending.piece(random(1000));
        let reply = timeout(Duration::from_secs(20), sending.answer()).await.expect("nobody waits for the rest");
        assert_eq!(reply.verdict(), "502 UNAVAILABLE");
        assert!(reply.error().1.contains("before it had the whole body"), "{reply:?}");
        stage.sim.finish();
    }
    // A whole blob by POST: who says that it is there has not seen it.
    let stage = Stage::set(plain().pushes(|push| push.single_post = SinglePost::Taken), "").await;
    stage.warm().await;
    let early = Reply::new(201).header("location", "/v2/team/app/blobs/x");
    stage.registry.registry().inject(Fault::answer_mid_upload(1000, early).times(1));
    let target = and(UPLOADS, &format!("digest={}", sha256(b"never whole")));
    let sending = Sending::begin(&stage.regpass, carrying(Method::POST, &target, "")).await;
    sending.piece(random(1000));
    let reply = timeout(Duration::from_secs(20), sending.answer()).await.expect("nobody waits for the rest");
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_the_middle_reaches_a_client_that_is_still_sending() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    let refusal = Reply::error(413, "SIZE_INVALID", "no blob may be that large");
    stage.registry.registry().inject(Fault::answer_mid_upload(1000, refusal).times(1));
    let sending = Sending::begin(&stage.regpass, carrying(Method::PATCH, &target, "")).await;
    sending.piece(random(1000));
    let reply = timeout(Duration::from_secs(20), sending.answer()).await.expect("nobody waits for the rest");
    assert_eq!(reply.verdict(), "413 SIZE_INVALID");
    assert!(reply.error().1.contains("no blob may be that large"));
    stage.sim.finish();
}

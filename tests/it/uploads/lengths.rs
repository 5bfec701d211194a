//! Bodies whose length is told wrongly, twice or not at all.

use http::Method;

use super::client::{Sending, Talk};
use super::{Stage, UPLOADS, and, bodies, carrying, location, plain};
use crate::harness::with;
use crate::sim::{Fault, sha256};

const BLOB: &[u8] = b"the first part, and the second";

#[tokio::test(start_paused = true)]
async fn a_range_that_is_not_the_bodys_is_the_registrys_to_refuse() {
    for (range, chunked) in [("0-9", false), ("0-9", true), ("0-99", false), ("0-99", true)] {
        let stage = Stage::set(plain(), "").await;
        let target = stage.begin("team/app").await;
        let patch = with(carrying(Method::PATCH, &target, BLOB), "content-range", range);
        let reply = if chunked {
            let sending = Sending::begin(&stage.regpass, patch).await;
            sending.piece(BLOB);
            sending.end().await
        } else {
            stage.regpass.send(patch).await
        };
        assert_eq!(reply.verdict(), "400 SIZE_INVALID", "{range}");
        stage.sim.finish();
    }
}

/// Says this as it is, and tells the verdict, or that there was none.
async fn say(stage: &Stage, head: &[&str], body: &[u8]) -> Option<u16> {
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(head).await;
    talk.say(body).await;
    talk.end_and_hear().await.map(|reply| reply.status.as_u16())
}

#[tokio::test(start_paused = true)]
async fn lengths_that_can_be_read_in_two_ways_are_refused_or_read_in_one() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    let line = format!("PATCH {target} HTTP/1.1");
    stage.forget();
    for lengths in [&["Content-Length: 5", "Content-Length: 6"][..], &["Content-Length: +5"], &["Content-Length: five"]]
    {
        let head: Vec<_> = [&[&*line], lengths].concat();
        assert_eq!(say(&stage, &head, b"abcdefgh").await, Some(400), "{lengths:?}");
        stage.expect(&[]);
    }
    // Chunks win over a length (RFC 9112, section 6.3), and only chunks go on to the registry.
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&[&line, "Content-Length: 5", "Transfer-Encoding: chunked"]).await;
    talk.say(b"3\r\nabc\r\n0\r\n\r\n").await;
    assert_eq!(talk.hear().await.status, 202);
    assert_eq!(bodies(&stage.sim), ["PATCH chunked, 3 whole"]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn chunks_that_are_broken_complete_nothing() {
    for body in [&b"5\r\nabc"[..], b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n", b"3\r\nabcdef\r\n0\r\n\r\n"] {
        let stage = Stage::set(plain(), "").await;
        let target = stage.begin("team/app").await;
        let line = format!("PUT {} HTTP/1.1", and(&target, &format!("digest={}", sha256(b"abc"))));
        let status = say(&stage, &[&line, "Transfer-Encoding: chunked"], body).await;
        assert!(status.is_none_or(|status| status == 400), "{status:?} for {:?}", String::from_utf8_lossy(body));
        assert_eq!(stage.registry.store().read("team/app", |repository| repository.blobs.len()).unwrap_or(0), 0);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_where_none_belongs_is_not_sent_on() {
    let stage = Stage::set(plain(), "").await;
    stage.warm().await;
    let began = stage.send(Method::POST, UPLOADS, "nobody asked for this").await;
    let target = location(&began);
    assert_eq!(stage.send(Method::GET, &target, "nor this").await.status, 204);
    assert_eq!(stage.send(Method::DELETE, &target, "nor this").await.status, 204);
    let seen = bodies(&stage.sim);
    assert!(seen.iter().all(|seen| seen.ends_with(", 0 whole")), "{seen:?}");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_anything_was_sent_completes_nothing() {
    let stage = Stage::set(plain(), "").await;
    stage.registry.token().inject(Fault::delay(std::time::Duration::from_secs(3)));
    let target = and(UPLOADS, &format!("digest={}", sha256(b"")));
    let sending = Sending::begin(&stage.regpass, carrying(Method::POST, &target, "")).await;
    stage.sim.ledger().wait_for(2).await;
    sending.leave().await;
    let lines = stage.sim.ledger().lines();
    assert!(lines.iter().all(|line| !line.ends_with(" 201")), "{lines:?}");
    assert_eq!(stage.registry.store().read("team/app", |repository| repository.blobs.len()).unwrap_or(0), 0);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn numbers_that_no_blob_has_are_refused() {
    for profile in ["generic", "ghcr", "google"] {
        for range in ["0-18446744073709551615", "18446744073709551615-18446744073709551615"] {
            let stage = Stage::set(plain(), &format!("profile = \"{profile}\"")).await;
            let target = stage.begin("team/app").await;
            stage.forget();
            let patch = with(carrying(Method::PATCH, &target, BLOB), "content-range", range);
            assert_eq!(stage.regpass.send(patch).await.verdict(), "400 BLOB_UPLOAD_INVALID", "{profile} {range}");
            stage.expect(&[]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_boasts_is_not_believed() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.patch(&stage.begin("team/app").await, &BLOB[..10], None).await;
    let boast = Fault::with_header("range", "0-18446744073709551614").method(Method::GET);
    stage.registry.registry().inject(boast);
    let status = stage.regpass.get(&target).await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, Some("0-9")), "{status:?}");
    stage.finish(&location(&status), &BLOB[10..], BLOB).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_digest_that_is_told_is_the_one_that_was_judged() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    let other = and(&and(&target, &format!("digest={}", sha256(BLOB))), &format!("digest={}", sha256(b"other")));
    let reply = stage.send(Method::PUT, &other, BLOB).await;
    stage.assert_created(&reply, BLOB);
    let asked = stage.sim.ledger().lines().pop().unwrap();
    assert!(!asked.contains(&sha256(b"other")), "{asked}");
    stage.sim.finish();
}

//! `Expect: 100-continue`, end to end: a client that asks first sends its body only when the registry wants it.

use std::time::Duration;

use http::Method;

use super::client::Talk;
use super::{Stage, and, bodies, carrying, location, plain};
use crate::sim::{Expect, Fault, Preset, sha256};

const BLOB: &[u8] = b"a blob that waits";
const EXPECT: &str = "Expect: 100-continue";

/// What became of the last request's expectation.
fn expectation(stage: &Stage) -> Expect {
    stage.sim.ledger().entries().last().unwrap().expect
}

async fn begin(preset: Preset) -> (Stage, String) {
    let stage = Stage::set(preset, "").await;
    let target = stage.begin("team/app").await;
    let line = format!("PUT {} HTTP/1.1", and(&target, &format!("digest={}", sha256(BLOB))));
    stage.forget();
    (stage, line)
}

#[tokio::test(start_paused = true)]
async fn the_body_waits_until_the_registry_wants_it() {
    for framing in ["Content-Length: 17", "Transfer-Encoding: chunked"] {
        let (stage, line) = begin(plain()).await;
        stage.registry.registry().inject(Fault::delay(Duration::from_secs(1)));
        let mut talk = Talk::begin(&stage.regpass);
        talk.head(&[&line, EXPECT, framing]).await;
        assert!(talk.is_silent_for(Duration::from_millis(900)).await, "the registry has said nothing yet");
        talk.hear_continue().await;
        assert_eq!(stage.sim.ledger().entries().last().unwrap().body_len, 0);
        talk.say(if framing.contains("17") { BLOB.to_vec() } else { chunked(BLOB) }).await;
        let reply = talk.hear().await;
        stage.assert_created(&reply, BLOB);
        assert_eq!(expectation(&stage), Expect::Continued);
        assert_eq!(stage.sim.ledger().lines().len(), 1);
        stage.sim.finish();
    }
}

fn chunked(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat()
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_the_token_too() {
    let (stage, line) = begin(plain()).await;
    stage.registry.revoke_tokens();
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&[&line, EXPECT, "Content-Length: 17"]).await;
    talk.hear_continue().await;
    // The registry refused the old token without a byte, and the new one is there already.
    let seen: Vec<_> =
        stage.sim.ledger().entries().iter().map(|entry| (entry.server.clone(), entry.body_len)).collect();
    assert_eq!(seen, [("registry".into(), 0), ("token".into(), 0), ("registry".into(), 0)]);
    talk.say(BLOB).await;
    stage.assert_created(&talk.hear().await, BLOB);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_cold_push_waits_for_demand_and_token() {
    let stage = Stage::set(plain(), "").await;
    stage.registry.token().inject(Fault::delay(Duration::from_secs(3)));
    let target = and(super::UPLOADS, &format!("digest={}", sha256(BLOB)));
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&[&format!("POST {target} HTTP/1.1"), EXPECT, "Content-Length: 17"]).await;
    assert!(talk.is_silent_for(Duration::from_millis(2900)).await);
    // This registry ignores the body of a POST, and says 100 for the PUT that follows.
    talk.hear_continue().await;
    talk.say(BLOB).await;
    stage.assert_created(&talk.hear().await, BLOB);
    let statuses: Vec<_> = stage.sim.ledger().entries().iter().map(|entry| entry.status.unwrap().as_u16()).collect();
    assert_eq!(statuses, [401, 200, 202, 201]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_comes_without_a_byte_sent() {
    for (fault, verdict) in [
        (Fault::text(404, "nothing here"), "404 BLOB_UPLOAD_UNKNOWN"),
        (Fault::text(507, "the disk is full"), "507 UNAVAILABLE"),
    ] {
        let (stage, line) = begin(plain()).await;
        stage.registry.registry().inject(fault);
        let mut talk = Talk::begin(&stage.regpass);
        talk.head(&[&line, EXPECT, "Content-Length: 17"]).await;
        // The answer is the first thing it hears.
        assert_eq!(talk.hear().await.verdict(), verdict);
        assert_eq!(bodies(&stage.sim), ["PUT length 17, 0 part"]);
        assert_eq!(expectation(&stage), Expect::Unanswered);
        stage.sim.finish();
    }
    // What the configuration refuses, the registry never hears of.
    let stage = Stage::set(plain(), "repositories = [\"other/**\"]").await;
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&["PATCH /v2/team/app/blobs/uploads/x HTTP/1.1", EXPECT, "Content-Length: 17"]).await;
    assert_eq!(talk.hear().await.verdict(), "403 DENIED");
    stage.expect(&[]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_never_says_100_gets_the_body_after_a_moment() {
    let (stage, line) = begin(plain()).await;
    // It reads the head, and looks at the body no sooner than in ten seconds.
    stage.registry.registry().inject(Fault::delay(Duration::from_secs(10)));
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&[&line, EXPECT, "Content-Length: 17"]).await;
    assert!(talk.is_silent_for(Duration::from_millis(1900)).await);
    talk.hear_continue().await;
    talk.say(BLOB).await;
    stage.assert_created(&talk.hear().await, BLOB);
    assert_eq!(expectation(&stage), Expect::Overrun);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_expects_nothing_makes_the_registry_expect_nothing() {
    let (stage, line) = begin(plain()).await;
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&[&line, "Content-Length: 17"]).await;
    talk.say(BLOB).await;
    stage.assert_created(&talk.hear().await, BLOB);
    assert_eq!(expectation(&stage), Expect::Absent);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_expectation_without_a_body_is_none() {
    let stage = Stage::set(plain(), "").await;
    let mut target = stage.begin("team/app").await;
    target = location(&stage.regpass.send(carrying(Method::PATCH, &target, BLOB)).await);
    let line = format!("PUT {} HTTP/1.1", and(&target, &format!("digest={}", sha256(BLOB))));
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&[&line, EXPECT, "Content-Length: 0"]).await;
    stage.assert_created(&talk.hear().await, BLOB);
    assert_eq!(expectation(&stage), Expect::Absent);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_wait_loses_nothing() {
    let (stage, line) = begin(plain()).await;
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&[&line, EXPECT, "Content-Length: 17"]).await;
    talk.say(BLOB).await;
    let heard = talk.hear().await;
    // hyper may have said 100 before it looked; the answer is behind it then.
    assert!(heard.status == 201 || heard.status == 100, "{heard:?}");
    stage.assert_has("team/app", BLOB);
    stage.sim.finish();
}

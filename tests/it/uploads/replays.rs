//! A token that turns out to be worth nothing: the body is sent again as far as it was kept, and never in part.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::client::Sending;
use super::{Stage, UPLOADS, and, bodies, carrying, location, plain, random};
use crate::harness::Reply;
use crate::sim::{Fault, Preset, SinglePost, sha256};

const TOKEN: &str = "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200";
/// Of a body this much is kept in memory.
const IN_MEMORY: usize = 128 * 1024;

/// Odd pieces, as they come from a client's buffers.
async fn send_in_pieces(stage: &Stage, method: Method, target: &str, blob: &Bytes, piece: usize) -> Reply {
    let sending = Sending::begin(&stage.regpass, carrying(method, target, "")).await;
    blob.chunks(piece).for_each(|piece| sending.piece(piece.to_vec()));
    sending.end().await
}

/// A registry that takes whole blobs by POST, each in a session of its own: the next request with a body is answered
/// 401 when this much of it has been read.
async fn refusing_after(bytes: u64, top: &str) -> Stage {
    let stage = Stage::set_with(top, plain().pushes(|push| push.single_post = SinglePost::Taken), "").await;
    stage.warm().await;
    let refusal = stage.registry.invalid_token();
    stage.registry.registry().inject(Fault::answer_mid_upload(bytes, refusal).times(1));
    stage
}

fn whole(blob: &[u8]) -> String {
    and(UPLOADS, &format!("digest={}", sha256(blob)))
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_costs_nothing_as_long_as_the_body_is_kept() {
    for length in [0, 1, 100_000, IN_MEMORY, IN_MEMORY + 1, 700_003] {
        for method in [Method::PATCH, Method::PUT] {
            let (stage, blob) = (Stage::set(plain(), "").await, random(length));
            let target = stage.begin("team/app").await;
            stage.registry.revoke_tokens();
            // The registry is slow to look at the token, so that much of the body is under way.
            stage.registry.registry().inject(Fault::delay(Duration::from_secs(1)).times(1));
            stage.forget();
            let target =
                if method == Method::PUT { and(&target, &format!("digest={}", sha256(&blob))) } else { target };
            let reply = send_in_pieces(&stage, method.clone(), &target, &blob, 32_749).await;
            assert_eq!(reply.grant(), "fetched", "{method} {length}: {reply:?}");
            let statuses: Vec<_> =
                stage.sim.ledger().take().iter().map(|entry| entry.status.unwrap().as_u16()).collect();
            assert_eq!(statuses, [401, 200, if method == Method::PUT { 201 } else { 202 }], "{length}");
            if method == Method::PATCH {
                stage.finish(&location(&reply), "", &blob).await;
            }
            stage.assert_has("team/app", &blob);
            stage.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_in_the_middle_of_a_body_is_answered_by_the_same_bytes_again() {
    // From memory, across its border, and from the file; in pieces of sizes that divide nothing.
    for (refused_at, length, piece) in [
        (1, 100, 7),
        (100_000, 200_003, 4099),
        (IN_MEMORY, IN_MEMORY + 5, 65_537),
        (IN_MEMORY + 1, 1_000_003, 16_381),
        (1_500_000, 1_600_001, 99_991),
    ] {
        let stage = refusing_after(refused_at as u64, "").await;
        let blob = random(length);
        let reply = send_in_pieces(&stage, Method::POST, &whole(&blob), &blob, piece).await;
        stage.assert_created(&reply, &blob);
        let came = bodies(&stage.sim);
        assert_eq!(came, [format!("POST chunked, {refused_at} part"), format!("POST chunked, {length} whole")]);
        let post = format!("registry POST {UPLOADS}?digest={} bearer", sha256(&blob));
        stage.expect(&[&format!("{post}#1 401"), TOKEN, &format!("{post}#2 201")]);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_the_spool_the_client_is_asked_to_send_it_again_and_that_works() {
    let stage = refusing_after(500_000, "upload_spool = \"100KiB\"").await;
    let blob = random(600_011);
    let reply = send_in_pieces(&stage, Method::POST, &whole(&blob), &blob, 32_749).await;
    assert_eq!(reply.verdict(), "503 UNAVAILABLE");
    assert_eq!(reply.header("retry-after"), Some("1"));
    let message = reply.error().1;
    assert!(message.contains("'upload_spool'") && message.contains("233472 are kept"), "{message}");
    assert_eq!(reply.json()["errors"][0]["detail"]["step"], "transfer");
    let post = format!("registry POST {UPLOADS}?digest={} bearer", sha256(&blob));
    stage.expect(&[&format!("{post}#1 401"), TOKEN]);

    let reply = send_in_pieces(&stage, Method::POST, &whole(&blob), &blob, 32_749).await;
    stage.assert_created(&reply, &blob);
    stage.expect(&[&format!("{post}#2 201")]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn just_what_fits_is_kept() {
    let kept = 102_400;
    for (length, fits) in [(IN_MEMORY + kept, true), (IN_MEMORY + kept + 1, false)] {
        let stage = refusing_after(length as u64, "upload_spool = \"100KiB\"").await;
        let blob = random(length);
        // The memory is full to the last byte before the file begins.
        let reply = send_in_pieces(&stage, Method::POST, &whole(&blob), &blob, 1024).await;
        assert_eq!(reply.status, if fits { 201 } else { 503 }, "{length}: {reply:?}");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_fresh_token_is_final() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    let refusal = stage.registry.invalid_token();
    stage.registry.registry().inject(Fault::answer(refusal).method(Method::PATCH));
    stage.forget();
    let reply = stage.send(Method::PATCH, &target, random(100_000)).await;
    assert_eq!(reply.verdict(), "403 DENIED");
    assert!(reply.error().1.contains("refuses push of team/app with "), "{reply:?}");
    assert_eq!(reply.header("www-authenticate"), None);
    let patch = "registry PATCH /v2/team/app/blobs/uploads/upload-1?_state=… bearer";
    stage.expect(&[&format!("{patch}#1 401"), TOKEN, &format!("{patch}#2 401")]);
    // It is remembered for a moment, and told without the registry.
    let reply = stage.send(Method::PATCH, &target, "x").await;
    assert_eq!(reply.verdict(), "403 DENIED");
    stage.expect(&[]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_taken_in_part_is_never_completed_by_its_repetition() {
    // A registry that keeps what it had read before it said 401. No known one does; the digest guards all the same.
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    let refusal = stage.registry.invalid_token();
    stage.registry.registry().inject(Fault::answer_mid_upload(50_000, refusal).method(Method::PUT).times(1));
    let blob = random(100_000);
    let reply = stage.send(Method::PUT, &and(&target, &format!("digest={}", sha256(&blob))), blob.clone()).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    let there = stage.registry.store().read("team/app", |repository| repository.blobs.len());
    assert_eq!(there.unwrap_or(0), 0);
    let target = stage.begin("team/app").await;
    stage.finish(&target, blob.clone(), &blob).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_shows_as_403_is_met_with_the_newer_secret() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("password");
    std::fs::write(&secret, "old").unwrap();
    let sim = crate::sim::Sim::memory();
    let registry = sim.start(Preset::ecr()).await;
    registry.user("AWS", "old");
    registry.store().write("team/app", |_| ());
    let more = format!(
        "profile = \"ecr\"\nallow = [\"push\"]\n\
        credential = {{ source = \"password\", username = \"AWS\", password = {{ file = \"{}\" }} }}",
        secret.display()
    );
    let regpass = crate::harness::Regpass::start(&sim, &crate::harness::only(&registry, &more));
    let stage = Stage { sim, registry, regpass };
    let target = stage.begin("team/app").await;
    stage.forget();
    // The secret changes when the old one has been sent already.
    std::fs::write(&secret, "the new one").unwrap();
    stage.registry.user("AWS", "the new one");
    stage.registry.registry().inject(Fault::delay(Duration::from_secs(2)).times(1));
    let blob = random(300_000);
    let reply =
        send_in_pieces(&stage, Method::PUT, &and(&target, &format!("digest={}", sha256(&blob))), &blob, 10_007).await;
    stage.assert_created(&reply, &blob);
    let put = format!("registry PUT {UPLOADS}upload-1?_state=…&digest={} basic:AWS", sha256(&blob));
    stage.expect(&[&format!("{put} 403"), &format!("{put} 201")]);
    stage.sim.finish();
}

//! Tokens that the registry rejects after the body has started: regpass sends the body again if it still has all of it.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::clients::StreamedRequest;
use super::{PushSetup, UPLOADS, body_target, location_of, random_bytes, received_bodies, token_registry, with_digest};
use crate::harness::{Regpass, Reply, request, single_registry_config};
use crate::sim::{Fault, MonolithicPost, Preset, Sim, sha256};

const TOKEN: &str = "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200";
/// The bytes of a body that regpass keeps in memory.
const IN_MEMORY: usize = 128 * 1024;

/// Sends a blob as a chunked body in pieces of this length.
async fn send_in_pieces(setup: &PushSetup, method: Method, target: &str, blob: &Bytes, piece_length: usize) -> Reply {
    StreamedRequest::send(&setup.regpass, request(method, target), blob, piece_length).await
}

/// A registry that accepts whole blobs by POST, and answers the next body with a 401 after this many bytes.
async fn rejecting_after(bytes: u64, top: &str) -> PushSetup {
    let preset = token_registry().with_push_rules(|push| push.monolithic_post = MonolithicPost::Accepted);
    let setup = PushSetup::start_with(top, preset, "").await;
    setup.warm().await;
    let rejection = setup.registry.invalid_token_reply();
    setup.registry.api().inject(Fault::answer_mid_upload(bytes, rejection).times(1));
    setup
}

/// The target for a whole blob by POST.
fn post_target(blob: &[u8]) -> String {
    with_digest(UPLOADS, blob)
}

#[tokio::test(start_paused = true)]
async fn a_body_of_any_length_within_the_spool_is_sent_again_with_a_new_token() {
    for length in [0, 1, 100_000, IN_MEMORY, IN_MEMORY + 1, 700_003] {
        for method in [Method::PATCH, Method::PUT] {
            let (setup, blob) = (PushSetup::start(token_registry(), "").await, random_bytes(length));
            let target = setup.start_upload("team/app").await;
            setup.registry.revoke_tokens();
            // The registry answers after a second, when regpass has sent much of the body.
            setup.registry.api().inject(Fault::delay(Duration::from_secs(1)).times(1));
            setup.clear_ledger();
            let target = body_target(&method, &target, &blob);
            let reply = send_in_pieces(&setup, method.clone(), &target, &blob, 32_749).await;
            assert_eq!(reply.authorization_source(), "fetched", "{method} {length}: {reply:?}");
            let statuses: Vec<_> =
                setup.sim.ledger().take().iter().map(|entry| entry.status.unwrap().as_u16()).collect();
            assert_eq!(statuses, [401, 200, if method == Method::PUT { 201 } else { 202 }], "{length}");
            if method == Method::PATCH {
                setup.finish_upload(&location_of(&reply), "", &blob).await;
            }
            setup.assert_registry_has("team/app", &blob);
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_during_the_body_makes_regpass_send_the_same_bytes_again() {
    // Rejected while the body is in memory, at the border, and in the file; in pieces whose sizes do not divide these.
    for (rejected_at, length, piece) in [
        (1, 100, 7),
        (100_000, 200_003, 4099),
        (IN_MEMORY, IN_MEMORY + 5, 65_537),
        (IN_MEMORY + 1, 1_000_003, 16_381),
        (1_500_000, 1_600_001, 99_991),
    ] {
        let setup = rejecting_after(rejected_at as u64, "").await;
        let blob = random_bytes(length);
        let reply = send_in_pieces(&setup, Method::POST, &post_target(&blob), &blob, piece).await;
        setup.assert_created(&reply, &blob);
        let received = received_bodies(&setup.sim);
        assert_eq!(
            received,
            [format!("POST chunked, {rejected_at} incomplete"), format!("POST chunked, {length} complete")]
        );
        let post = format!("registry POST {UPLOADS}?digest={} bearer", sha256(&blob));
        setup.expect(&[&format!("{post}#1 401"), TOKEN, &format!("{post}#2 201")]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_above_upload_spool_is_a_503_and_the_clients_second_attempt_succeeds() {
    let setup = rejecting_after(500_000, "upload_spool = \"100KiB\"").await;
    let blob = random_bytes(600_011);
    let reply = send_in_pieces(&setup, Method::POST, &post_target(&blob), &blob, 32_749).await;
    assert_eq!(reply.status_and_code(), "503 UNAVAILABLE");
    assert_eq!(reply.header("retry-after"), Some("1"));
    let message = reply.error().1;
    assert!(
        message.contains("`upload_spool`") && message.contains("only 233472 bytes of a body are stored"),
        "{message}"
    );
    assert_eq!(reply.json()["errors"][0]["detail"]["step"], "transfer");
    let post = format!("registry POST {UPLOADS}?digest={} bearer", sha256(&blob));
    setup.expect(&[&format!("{post}#1 401"), TOKEN]);

    let reply = send_in_pieces(&setup, Method::POST, &post_target(&blob), &blob, 32_749).await;
    setup.assert_created(&reply, &blob);
    setup.expect(&[&format!("{post}#2 201")]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_body_is_sent_again_up_to_exactly_memory_plus_upload_spool() {
    let spool = 102_400;
    for (length, fits) in [(IN_MEMORY + spool, true), (IN_MEMORY + spool + 1, false)] {
        let setup = rejecting_after(length as u64, "upload_spool = \"100KiB\"").await;
        let blob = random_bytes(length);
        // Pieces of 1 KiB fill the memory to the last byte before the file starts.
        let reply = send_in_pieces(&setup, Method::POST, &post_target(&blob), &blob, 1024).await;
        assert_eq!(reply.status, if fits { 201 } else { 503 }, "{length}: {reply:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_for_a_new_token_is_a_403() {
    let (setup, target) = PushSetup::with_upload().await;
    let rejection = setup.registry.invalid_token_reply();
    setup.registry.api().inject(Fault::answer(rejection).method(Method::PATCH));
    setup.clear_ledger();
    let reply = setup.send(Method::PATCH, &target, random_bytes(100_000)).await;
    assert_eq!(reply.status_and_code(), "403 DENIED");
    assert!(reply.error().1.contains("denies push of team/app with "), "{reply:?}");
    assert_eq!(reply.header("www-authenticate"), None);
    let patch = "registry PATCH /v2/team/app/blobs/uploads/upload-1?_state=… bearer";
    setup.expect(&[&format!("{patch}#1 401"), TOKEN, &format!("{patch}#2 401")]);
    // The denial is cached: the next request is not forwarded.
    let reply = setup.send(Method::PATCH, &target, "x").await;
    assert_eq!(reply.status_and_code(), "403 DENIED");
    setup.expect(&[]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_replay_after_a_partly_stored_body_fails_on_the_digest() {
    // The registry stores the part of the body before its 401. No known registry does, but the digest would reveal it.
    let (setup, target) = PushSetup::with_upload().await;
    let rejection = setup.registry.invalid_token_reply();
    setup.registry.api().inject(Fault::answer_mid_upload(50_000, rejection).method(Method::PUT).times(1));
    let blob = random_bytes(100_000);
    let reply = setup.send(Method::PUT, &with_digest(&target, &blob), blob.clone()).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    setup.assert_no_blob();
    let target = setup.start_upload("team/app").await;
    setup.finish_upload(&target, blob.clone(), &blob).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_403_for_an_expired_password_sends_the_body_again_with_the_new_password() {
    let folder = tempfile::tempdir().unwrap();
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, "old").unwrap();
    let sim = Sim::memory();
    let registry = sim.start(Preset::ecr()).await;
    registry.add_user("AWS", "old");
    registry.store().write("team/app", |_| ());
    let more = format!(
        "profile = \"ecr\"\nallow = [\"push\"]\n\
        credential = {{ source = \"password\", username = \"AWS\", password = {{ file = \"{}\" }} }}",
        password_file.display()
    );
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &more));
    let setup = PushSetup { sim, registry, regpass };
    let target = setup.start_upload("team/app").await;
    setup.clear_ledger();
    // The password changes after regpass has sent the old one.
    std::fs::write(&password_file, "the new one").unwrap();
    setup.registry.add_user("AWS", "the new one");
    setup.registry.api().inject(Fault::delay(Duration::from_secs(2)).times(1));
    let blob = random_bytes(300_000);
    let reply = send_in_pieces(&setup, Method::PUT, &with_digest(&target, &blob), &blob, 10_007).await;
    setup.assert_created(&reply, &blob);
    let put = format!("registry PUT {UPLOADS}upload-1?_state=…&digest={} basic:AWS", sha256(&blob));
    setup.expect(&[&format!("{put} 403"), &format!("{put} 201")]);
    setup.sim.finish();
}

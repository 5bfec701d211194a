//! The token of an upload: regpass gets it before it sends the body, and renews one that would expire too early.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::clients::StreamedRequest;
use super::{
    PUSHER, PushSetup, UPLOADS, location_of, random_bytes, request_with_body, request_with_length, token_registry,
    with_digest,
};
use crate::harness::{Regpass, manifest_put, registry_table};
use crate::sim::{AuthMode, Entry, Fault, Framing, Image, ImageFormat, Preset, Sim};

const BLOB: &[u8] = b"a blob";
const TOKEN: &str = "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200";
const MIB: u64 = 1024 * 1024;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_first_push_gets_challenge_and_token_before_the_body_is_sent() {
    let target = with_digest(UPLOADS, BLOB);
    let image = Image::single("app", ImageFormat::Oci);
    for (request, line) in [
        (request_with_body(Method::POST, UPLOADS, ""), format!("registry POST {UPLOADS} bearer#1 202")),
        (request_with_body(Method::POST, &target, BLOB), format!("registry POST {target} bearer#1 202")),
        (
            manifest_put("/v2/team/app/manifests/1", &image),
            "registry PUT /v2/team/app/manifests/1 bearer#1 400".to_owned(),
        ),
    ] {
        let setup = PushSetup::start(token_registry(), "").await;
        setup.regpass.send(request).await;
        let lines = setup.sim.ledger().lines();
        assert_eq!(lines[..3], ["registry GET /v2/ anonymous 401", TOKEN, &line]);
        let sent: Vec<_> =
            setup.sim.ledger().entries().into_iter().filter(|entry| entry.framing != Framing::None).collect();
        assert!(sent.iter().all(|entry| entry.headers.contains_key("authorization")), "{sent:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_without_tokens_gets_the_body_after_one_request_for_the_challenge() {
    for (mode, challenge, authorization) in
        [(AuthMode::Open, "anonymous 200", "anonymous"), (AuthMode::Htpasswd, "anonymous 401", "basic:alice")]
    {
        let setup = PushSetup::start(Preset::distribution(mode), "").await;
        let target = setup.start_upload("team/app").await;
        setup.finish_upload(&target, BLOB, BLOB).await;
        let lines = setup.sim.ledger().lines();
        let post = format!("registry POST {UPLOADS} {authorization} 202");
        assert_eq!(lines[..2], [format!("registry GET /v2/ {challenge}"), post]);
        assert_eq!(lines.len(), 3, "{lines:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_grant_push_is_a_403_before_the_body_is_sent() {
    let sim = Sim::memory();
    let hub = sim.start(Preset::docker_hub()).await;
    hub.add_user("alice", "alices password");
    hub.publish("acme/app", "1", &Image::single("app", ImageFormat::Oci));
    let regpass = Regpass::start(&sim, &registry_table("docker.io", &hub, PUSHER));
    let token = |scope: &str| {
        format!("token GET /token?service=registry.docker.io&scope=repository:acme/app:{scope} basic:alice 200")
    };
    let blob = with_digest("/v2/acme/app/blobs/uploads/", BLOB);
    let manifest = manifest_put("/v2/acme/app/manifests/2", &Image::single("app", ImageFormat::Oci));
    let mut expected = vec!["registry GET /v2/ anonymous 401".to_owned(), token("pull,push")];
    for request in [
        request_with_body(Method::POST, "/v2/acme/app/blobs/uploads/", ""),
        request_with_body(Method::POST, &blob, BLOB),
        manifest,
    ] {
        let reply = regpass.send(request).await;
        assert_eq!(reply.status_and_code(), "403 DENIED");
        let message = reply.error().1;
        let granted = "granted repository:acme/app:pull instead of repository:acme/app:pull,push with password in the configuration";
        assert!(message.contains(granted), "{message}");
        assert!(message.ends_with("configure a `credential` that may do this"), "{message}");
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "credential");
        // One token call; nothing of the push reaches the registry.
        sim.ledger().expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
        expected.clear();
    }
    let reply = regpass.send(request_with_body(Method::DELETE, "/v2/acme/app/manifests/1", "")).await;
    assert_eq!(reply.status_and_code(), "403 DENIED");
    sim.ledger().expect(&[&token("delete")]);
    // Pulls still work.
    assert_eq!(regpass.get("/v2/acme/app/manifests/1").await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_grants_nothing_is_a_403_that_says_so() {
    let mut preset = token_registry();
    preset.tokens.grant = Arc::new(|_| Ok(Vec::new()));
    let setup = PushSetup::start(preset, "").await;
    let reply = setup.send(Method::POST, UPLOADS, "").await;
    assert_eq!(reply.status_and_code(), "403 DENIED");
    let granted = "granted nothing instead of repository:team/app:pull,push with password in the configuration";
    assert!(reply.error().1.contains(granted), "{reply:?}");
    setup.sim.finish();
}

/// Sends a PUT with this `Content-Length` when the token has this age. Returns `token` for each token call, and the
/// authorization of each request to the registry.
async fn put_at_age(lifetime: u64, age: Duration, length: Option<u64>) -> Vec<String> {
    let setup = PushSetup::start(token_registry().lifetime(seconds(lifetime)), "").await;
    let target = setup.start_upload("team/app").await;
    setup.clear_ledger();
    sleep(age).await;
    let request = request_with_length(Method::PUT, &with_digest(&target, BLOB), length);
    let streamed = StreamedRequest::start(&setup.regpass, request).await;
    streamed.send_piece(BLOB);
    if length.is_some() {
        // The first bytes show which token the request has; the rest of the body is not needed.
        setup.sim.ledger().wait_until(|entries| entries.iter().any(|entry| entry.body_len > 0)).await;
        streamed.disconnect().await;
    } else {
        assert_eq!(streamed.finish().await.status, 201);
    }
    let token = |entry: &Entry| match entry.server.as_str() {
        "token" => "token".to_owned(),
        _ => entry.authorization.to_string(),
    };
    let authorizations = setup.sim.ledger().entries().iter().map(token).collect();
    setup.sim.finish();
    authorizations
}

#[tokio::test(start_paused = true)]
async fn a_token_that_would_not_outlast_the_body_is_renewed_first() {
    // No upload rate is known yet, so regpass assumes 1 MiB/s. It uses a token of 300 s for 270 s.
    for (lifetime, age, length, renewed) in [
        (300, 0, Some(500 * MIB), false),
        (300, 40, Some(6), false),
        (300, 40, Some(200 * MIB), false),
        (300, 100, Some(200 * MIB), true),
        (300, 40, Some(1000 * MIB), true),
        (300, 200, None, false),
        (60, 10, None, false),
        (60, 30, None, true),
    ] {
        let authorizations = put_at_age(lifetime, seconds(age), length).await;
        let expected: &[&str] = if renewed { &["token", "bearer#2"] } else { &["bearer#1"] };
        assert_eq!(authorizations, expected, "{length:?} bytes with a token of {lifetime} s, {age} s old");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_uses_its_valid_token_if_the_early_renewal_fails() {
    let (setup, target) = PushSetup::with_upload().await;
    setup.clear_ledger();
    sleep(seconds(100)).await;
    setup.registry.token_service().inject(Fault::text(500, "away"));
    let request = request_with_length(Method::PATCH, &target, Some(200 * MIB));
    let streamed = StreamedRequest::start(&setup.regpass, request).await;
    streamed.send_piece(BLOB);
    setup.sim.ledger().wait_until(|entries| entries.iter().any(|entry| entry.body_len > 0)).await;
    streamed.disconnect().await;
    let lines = setup.sim.ledger().lines();
    assert!(lines.len() == 2 && lines[0].ends_with(" 500") && lines[1].contains("bearer#1"), "{lines:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_recent_upload_rate_decides_whether_the_token_is_renewed() {
    let setup = PushSetup::start(token_registry(), "").await;
    // 300 kB in 30 s: at that rate another 2 MB take longer than the token is still valid.
    let slow = random_bytes(300_000);
    let target = setup.start_upload("team/app").await;
    let patch = request_with_length(Method::PATCH, &target, None);
    let reply = StreamedRequest::send_slowly(&setup.regpass, patch, &slow, 10_000, seconds(1)).await;
    let target = location_of(&reply);
    sleep(seconds(70)).await;
    for (length, tokens) in [(100_000, 0), (2_000_000_u64, 1)] {
        setup.clear_ledger();
        let patch = request_with_length(Method::PATCH, &target, Some(length));
        let streamed = StreamedRequest::start(&setup.regpass, patch).await;
        streamed.send_piece(BLOB);
        setup.sim.ledger().wait_until(|entries| entries.iter().any(|entry| entry.server == "registry")).await;
        streamed.disconnect().await;
        assert_eq!(setup.sim.ledger().count("token", |_| true), tokens, "{length}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_between_upload_requests_is_renewed_before_the_next() {
    for lifetime in [1, 2, 60] {
        let setup = PushSetup::start(token_registry().lifetime(seconds(lifetime)), "").await;
        let mut blob = Vec::new();
        let mut target = setup.start_upload("team/app").await;
        for number in 0..20_u8 {
            // The pauses grow, so that requests come at every age of a token.
            sleep(seconds(lifetime) / 10 * u32::from(number)).await;
            let part = random_bytes(1000 + usize::from(number));
            target = setup.patch(&target, part.clone(), None).await;
            blob.extend_from_slice(&part);
        }
        sleep(seconds(lifetime * 3)).await;
        setup.finish_upload(&target, "", &blob).await;
        setup.assert_one_challenge(&format!("tokens of {lifetime} s"));
        assert_eq!(setup.sim.ledger().repeated_401s(), [] as [String; 0]);
        setup.sim.finish();
    }
}

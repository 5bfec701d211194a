//! The token of an upload is settled before the body moves: in time, with enough life, for what it takes.

use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::client::Sending;
use super::{Stage, UPLOADS, and, carrying, location, plain, random};
use crate::harness::{put, table, with};
use crate::sim::{Family, Framing, Image, Preset, Sim, sha256};

const BLOB: &[u8] = b"a blob";
const ASKED: &str = "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200";
const MIB: u64 = 1024 * 1024;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_cold_push_asks_for_the_demand_and_the_token_before_the_body_moves() {
    let target = and(UPLOADS, &format!("digest={}", sha256(BLOB)));
    let image = Image::single("app", Family::Oci);
    for (request, line) in [
        (carrying(Method::POST, UPLOADS, ""), format!("registry POST {UPLOADS} bearer#1 202")),
        (carrying(Method::POST, &target, BLOB), format!("registry POST {target} bearer#1 202")),
        (put("/v2/team/app/manifests/1", &image), "registry PUT /v2/team/app/manifests/1 bearer#1 400".to_owned()),
    ] {
        let stage = Stage::set(plain(), "").await;
        stage.regpass.send(request).await;
        let lines = stage.sim.ledger().lines();
        assert_eq!(lines[..3], ["registry GET /v2/ anonymous 401", ASKED, &line]);
        let sent: Vec<_> =
            stage.sim.ledger().entries().into_iter().filter(|entry| entry.framing != Framing::None).collect();
        assert!(sent.iter().all(|entry| entry.headers.contains_key("authorization")), "{sent:?}");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_demands_nothing_gets_the_body_at_once() {
    let stage = Stage::set(Preset::distribution(crate::sim::Mode::Open), "").await;
    let target = stage.begin("team/app").await;
    stage.finish(&target, BLOB, BLOB).await;
    let lines = stage.sim.ledger().lines();
    assert_eq!(
        lines[..2],
        ["registry GET /v2/ anonymous 200".to_owned(), format!("registry POST {UPLOADS} anonymous 202")]
    );
    assert_eq!(lines.len(), 3);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_registry_with_passwords_gets_the_password_with_the_first_byte() {
    let stage = Stage::set(Preset::distribution(crate::sim::Mode::Htpasswd), "").await;
    let target = stage.begin("team/app").await;
    stage.finish(&target, BLOB, BLOB).await;
    let lines = stage.sim.ledger().lines();
    assert_eq!(
        lines[..2],
        ["registry GET /v2/ anonymous 401".to_owned(), format!("registry POST {UPLOADS} basic:alice 202")]
    );
    assert_eq!(lines.len(), 3);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_without_push_is_refused_before_the_body() {
    let sim = Sim::memory();
    let hub = sim.start(Preset::docker_hub()).await;
    hub.user("alice", "alices password");
    hub.publish("acme/app", "1", &Image::single("app", Family::Oci));
    let login = "allow = [\"pull\", \"push\", \"delete\"]\n\
        credential = { source = \"password\", username = \"alice\", password = \"alices password\" }";
    let regpass = crate::harness::Regpass::start(&sim, &table("docker.io", &hub, login));
    let token = |scope: &str| {
        format!("token GET /token?service=registry.docker.io&scope=repository:acme/app:{scope} basic:alice 200")
    };
    let whole = and("/v2/acme/app/blobs/uploads/", &format!("digest={}", sha256(BLOB)));
    let manifest = put("/v2/acme/app/manifests/2", &Image::single("app", Family::Oci));
    let mut before = vec!["registry GET /v2/ anonymous 401".to_owned(), token("pull,push")];
    for request in
        [carrying(Method::POST, "/v2/acme/app/blobs/uploads/", ""), carrying(Method::POST, &whole, BLOB), manifest]
    {
        let reply = regpass.send(request).await;
        assert_eq!(reply.verdict(), "403 DENIED");
        let message = reply.error().1;
        let told = "granted repository:acme/app:pull where repository:acme/app:pull,push was asked, with password in the configuration";
        assert!(message.contains(told), "{message}");
        assert!(message.ends_with("it takes a login that may do this, see 'credential'"), "{message}");
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "credential");
        // Asked once; nothing of the push reaches the registry.
        sim.ledger().expect(&before.iter().map(String::as_str).collect::<Vec<_>>());
        before.clear();
    }
    let reply = regpass.send(carrying(Method::DELETE, "/v2/acme/app/manifests/1", "")).await;
    assert_eq!(reply.verdict(), "403 DENIED");
    sim.ledger().expect(&[&token("delete")]);
    // Pulls go on.
    assert_eq!(regpass.get("/v2/acme/app/manifests/1").await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_for_nothing_is_said_to_be_one() {
    let mut preset = plain();
    preset.tokens.grant = std::sync::Arc::new(|_| Ok(Vec::new()));
    let stage = Stage::set(preset, "").await;
    let reply = stage.send(Method::POST, UPLOADS, "").await;
    assert_eq!(reply.verdict(), "403 DENIED");
    let told = "granted nothing where repository:team/app:pull,push was asked, with password in the configuration";
    assert!(reply.error().1.contains(told), "{reply:?}");
    stage.sim.finish();
}

/// A PUT whose head tells this length, at a time when the token is so old; what the ledger holds of it.
async fn put_later(lifetime: u64, after: Duration, length: Option<u64>) -> Vec<String> {
    let stage = Stage::set(plain().lifetime(seconds(lifetime)), "").await;
    let target = stage.begin("team/app").await;
    stage.forget();
    sleep(after).await;
    let mut request = carrying(Method::PUT, &and(&target, &format!("digest={}", sha256(BLOB))), "");
    if let Some(length) = length {
        request = with(request, "content-length", &length.to_string());
    }
    let sending = Sending::begin(&stage.regpass, request).await;
    sending.piece(BLOB);
    if length.is_some() {
        // Whatever else was announced is not needed to see which token it goes with.
        stage.sim.ledger().wait_until(|entries| entries.iter().any(|entry| entry.body_len > 0)).await;
        sending.leave().await;
    } else {
        assert_eq!(sending.end().await.status, 201);
    }
    let token = |entry: &crate::sim::Entry| match entry.server.as_str() {
        "token" => "token".to_owned(),
        _ => entry.authorization.to_string(),
    };
    let seen = stage.sim.ledger().entries().iter().map(token).collect();
    stage.sim.finish();
    seen
}

#[tokio::test(start_paused = true)]
async fn a_token_that_would_not_outlast_the_body_is_renewed_first() {
    // Nothing is known of the line yet, so a MiB is taken for a second. A token of 300 s is good for 270.
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
        let seen = put_later(lifetime, seconds(age), length).await;
        let expected: &[&str] = if renewed { &["token", "bearer#2"] } else { &["bearer#1"] };
        assert_eq!(seen, expected, "{length:?} bytes with a token of {lifetime} s, {age} s old");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_is_away_does_not_stop_an_upload_whose_token_is_good() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    stage.forget();
    sleep(seconds(100)).await;
    stage.registry.token().inject(crate::sim::Fault::text(500, "away"));
    let request = carrying(Method::PATCH, &target, "");
    let sending = Sending::begin(&stage.regpass, with(request, "content-length", &(200 * MIB).to_string())).await;
    sending.piece(BLOB);
    stage.sim.ledger().wait_until(|entries| entries.iter().any(|entry| entry.body_len > 0)).await;
    sending.leave().await;
    let lines = stage.sim.ledger().lines();
    assert!(lines.len() == 2 && lines[0].ends_with(" 500") && lines[1].contains("bearer#1"), "{lines:?}");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_recent_rate_tells_how_long_a_body_takes() {
    let stage = Stage::set(plain(), "").await;
    // 300 kB in 30 s: at that rate two more MB take longer than this token has left.
    let slow = random(300_000);
    let target = stage.begin("team/app").await;
    let sending = Sending::begin(&stage.regpass, carrying(Method::PATCH, &target, "")).await;
    for piece in slow.chunks(10_000) {
        sleep(seconds(1)).await;
        sending.piece(piece.to_vec());
    }
    let target = location(&sending.end().await);
    sleep(seconds(70)).await;
    for (length, tokens) in [(100_000, 0), (2_000_000_u64, 1)] {
        stage.forget();
        let patch = with(carrying(Method::PATCH, &target, ""), "content-length", &length.to_string());
        let sending = Sending::begin(&stage.regpass, patch).await;
        sending.piece(BLOB);
        stage.sim.ledger().wait_until(|entries| entries.iter().any(|entry| entry.server == "registry")).await;
        sending.leave().await;
        assert_eq!(stage.sim.ledger().count("token", |_| true), tokens, "{length}");
    }
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn tokens_that_expire_between_the_steps_are_never_seen() {
    for lifetime in [1, 2, 60] {
        let stage = Stage::set(plain().lifetime(seconds(lifetime)), "").await;
        let mut whole = Vec::new();
        let mut target = stage.begin("team/app").await;
        for number in 0..20_u8 {
            // At every point of a token's life.
            sleep(seconds(lifetime) / 10 * u32::from(number)).await;
            let part = random(1000 + usize::from(number));
            target = stage.patch(&target, part.clone(), None).await;
            whole.extend_from_slice(&part);
        }
        sleep(seconds(lifetime * 3)).await;
        stage.finish(&target, "", &whole).await;
        let refused: Vec<_> = stage.sim.ledger().lines().into_iter().filter(|line| line.ends_with(" 401")).collect();
        assert_eq!(refused, ["registry GET /v2/ anonymous 401"], "{lifetime} s");
        assert_eq!(stage.sim.ledger().repeated_401s(), [] as [String; 0]);
        stage.sim.finish();
    }
}

//! The token dance: a challenge that does not know better, tokens without an end, refusals from the token service.

use std::time::Duration;

use http::Method;
use tokio::time::{advance, sleep};

use super::{COLD, LOGIN, MANIFEST, PRIVATE, WARM};
use crate::log::Log;
use crate::sim::{Fault, Preset};
use crate::stage::{Stage, assert_clean, assert_refused};

const PLACEHOLDER: &str =
    r#"Bearer realm="http://ghcr.test/token",service="ghcr.test",scope="repository:user/image:pull""#;

#[tokio::test(start_paused = true)]
async fn an_anonymous_pull_costs_challenge_token_and_request() {
    let stage = Stage::ghcr("").await;
    assert_eq!(stage.get(MANIFEST).await.status, 200);
    stage.expect(&COLD);
    stage.get(MANIFEST).await;
    stage.expect(&[WARM]);
}

/// In 2024 the article saw the placeholder even for a repository that exists, and corrected itself a month later.
#[tokio::test(start_paused = true)]
async fn the_placeholder_of_a_challenge_is_never_asked_for_a_pull() {
    let stage = Stage::ghcr("").await;
    stage.registry.registry().inject(Fault::challenge(&[PLACEHOLDER]).path("/v2/").times(1));
    assert_eq!(stage.get(MANIFEST).await.status, 200);
    stage.expect(&COLD);
}

#[tokio::test(start_paused = true)]
async fn a_token_without_an_end_counts_for_a_minute_and_is_renewed_behind_the_requests() {
    let stage = Stage::ghcr("").await;
    stage.registry.change(|preset| *preset = preset.clone().lifetime(Duration::from_secs(60)));
    stage.warm(MANIFEST).await;
    for step in 1..=180 {
        sleep(Duration::from_secs(20)).await;
        let reply = stage.get(MANIFEST).await;
        assert_eq!(reply.status, 200, "step {step}");
        assert!(reply.header("server-timing").unwrap().contains("desc=\"cached\""), "step {step}: {reply:?}");
    }
    let entries = stage.sim.ledger().take();
    assert!(entries.iter().all(|entry| entry.status.unwrap() == 200), "{entries:?}");
    let tokens = entries.iter().filter(|entry| entry.server == "token").count();
    assert_eq!(entries.len() - tokens, 180, "one request to the registry for each of the client");
    assert!((60..=90).contains(&tokens), "an hour took {tokens} tokens");
}

#[tokio::test(start_paused = true)]
async fn a_token_without_an_end_is_not_tried_after_a_minute() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    advance(Duration::from_secs(59)).await;
    assert_eq!(stage.get(MANIFEST).await.status, 200);
    stage.expect(&[COLD[1], "registry GET /v2/toddysm/python/manifests/3.10 bearer#2 200"]);
}

#[tokio::test(start_paused = true)]
async fn a_403_of_the_token_service_is_a_403_that_says_what_to_do() {
    let stage = Stage::ghcr("").await;
    for (target, name) in [(PRIVATE, "toddysm/private"), ("/v2/ghcr.io/toddysm/none/manifests/1", "toddysm/none")] {
        stage.sim.ledger().take();
        let reply = stage.get(target).await;
        assert_refused(&reply, "403 DENIED", &["ghcr.io", "requested access to the resource is denied"]);
        let detail = &reply.json()["errors"][0]["detail"];
        assert_eq!((&detail["registry"], &detail["step"]), (&"ghcr.io".into(), &"token".into()));
        let lines = stage.sim.ledger().lines();
        let token = format!("token GET /token?service=ghcr.test&scope=repository:{name}:pull anonymous 403");
        assert_eq!(lines.last(), Some(&token), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains("user/image")), "{lines:#?}");
        stage.sim.ledger().take();
        let head = stage.head(target).await;
        assert_eq!(head.status, 403);
        assert_clean(&head);
        stage.expect(&[]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_its_token_service_calls_invalid_is_a_403_too() {
    let stage = Stage::ghcr("").await;
    assert_refused(&stage.get("/v2/ghcr.io/python/manifests/1").await, "403 DENIED", &["invalid repository name"]);
    stage.expect(&[
        "registry GET /v2/python/manifests/1 anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:python:pull anonymous 400",
    ]);
}

/// With a login the token is the password itself, encoded: it must show nowhere.
#[tokio::test(start_paused = true)]
async fn a_password_goes_to_its_own_token_service_and_shows_in_no_log() {
    let log = Log::listen();
    let stage = Stage::ghcr(LOGIN).await;
    assert_eq!(stage.get(PRIVATE).await.status, 200);
    stage.expect(&[
        "registry GET /v2/toddysm/private/manifests/1 anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:toddysm/private:pull basic:toddysm 200",
        "registry GET /v2/toddysm/private/manifests/1 bearer#1 200",
    ]);
    assert!(!log.text().is_empty());
    // The last is base64 of the password.
    for secret in ["ghp_toddysm", "Z2hwX3RvZGR5c20"] {
        assert!(!log.text().contains(secret), "{secret} in the log: {}", log.text());
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_login_is_told_once_and_public_pulls_go_on_without_it() {
    let stage = Stage::ghcr(&LOGIN.replace("ghp_toddysm", "ghp_revoked")).await;
    assert_eq!(stage.get(MANIFEST).await.status, 200);
    let [challenge, token, registry] = COLD;
    let refused = "token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull basic:toddysm 403";
    stage.expect(&[challenge, refused, token, registry]);
    stage.get(MANIFEST).await;
    stage.expect(&[WARM]);
    let metric = stage.regpass.metric("regpass_credential_rejected");
    assert_eq!(metric, [r#"regpass_credential_rejected_total{registry="ghcr.io"} 1"#]);
}

/// POST is unknown there: the identity goes as a password, and the next time at once.
#[tokio::test(start_paused = true)]
async fn an_identity_goes_by_get_after_post_was_refused_with_405() {
    let stage =
        Stage::ghcr(r#"credential = { source = "identity", username = "toddysm", token = "ghp_toddysm" }"#).await;
    assert_eq!(stage.get(PRIVATE).await.status, 200);
    let get = "token GET /token?service=ghcr.test&scope=repository:toddysm/private:pull basic:toddysm 200";
    stage.expect(&[
        "registry GET /v2/toddysm/private/manifests/1 anonymous 401",
        "token POST /token anonymous 405",
        get,
        "registry GET /v2/toddysm/private/manifests/1 bearer#1 200",
    ]);
    stage.get(MANIFEST).await;
    stage.expect(&[
        "token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull basic:toddysm 200",
        "registry GET /v2/toddysm/python/manifests/3.10 bearer#1 200",
    ]);
}

#[tokio::test(start_paused = true)]
async fn its_secondary_rate_limit_is_a_429_in_the_common_form() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    let message = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}"#;
    let limited = Preset::docker_hub_rate_limited().json(message).header("x-ratelimit-remaining", "0");
    stage.registry.registry().inject(Fault::answer(limited));
    for method in [Method::GET, Method::HEAD] {
        let reply = stage.method(&method, MANIFEST).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-ratelimit-remaining")), (429, Some("0")));
    }
    assert_refused(&stage.get(MANIFEST).await, "429 TOOMANYREQUESTS", &["secondary rate limit"]);
    assert_eq!(stage.sim.ledger().entries().len(), 3, "not tried again");
}

//! Tokens: the placeholder scope of challenges, tokens without an expiry, and denials of the token service.

use std::time::Duration;

use tokio::time::advance;

use super::{COLD, CREDENTIAL, MANIFEST, PRIVATE, WARM, start_warm};
use crate::log::Log;
use crate::proxied_registry::{ProxiedRegistry, assert_no_upstream_headers, assert_rejected};
use crate::seed_registries::{assert_background_renewal, assert_pull_costs};
use crate::sim::Fault;

const PLACEHOLDER: &str =
    r#"Bearer realm="http://ghcr.test/token",service="ghcr.test",scope="repository:user/image:pull""#;

#[tokio::test(start_paused = true)]
async fn anonymous_pull_fetches_a_token_once() {
    assert_pull_costs(&ProxiedRegistry::ghcr("").await, MANIFEST, &COLD, WARM).await;
}

/// In February 2024 the article observed the placeholder even for an existing repository; it corrected that in March.
#[tokio::test(start_paused = true)]
async fn placeholder_scope_of_a_challenge_is_not_requested() {
    let proxied = ProxiedRegistry::ghcr("").await;
    proxied.registry.api().inject(Fault::challenge(&[PLACEHOLDER]).path("/v2/").times(1));
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    proxied.expect(&COLD);
}

#[tokio::test(start_paused = true)]
async fn token_without_expiry_is_renewed_every_minute_in_the_background() {
    let proxied = ProxiedRegistry::ghcr("").await;
    proxied.registry.change_preset(|preset| *preset = preset.clone().lifetime(Duration::from_secs(60)));
    proxied.warm(MANIFEST).await;
    assert_background_renewal(&proxied, MANIFEST, Duration::from_secs(20), 60..=90).await;
}

#[tokio::test(start_paused = true)]
async fn token_without_expiry_is_not_sent_after_a_minute() {
    let proxied = start_warm("").await;
    advance(Duration::from_secs(59)).await;
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    proxied.expect(&[COLD[1], "registry GET /v2/toddysm/python/manifests/3.10 bearer#2 200"]);
}

#[tokio::test(start_paused = true)]
async fn denial_of_the_token_service_is_403_with_its_message() {
    let proxied = ProxiedRegistry::ghcr("").await;
    for (target, name) in [(PRIVATE, "toddysm/private"), ("/v2/ghcr.io/toddysm/none/manifests/1", "toddysm/none")] {
        proxied.sim.ledger().take();
        let reply = proxied.get(target).await;
        assert_rejected(&reply, "403 DENIED", &["ghcr.io", "requested access to the resource is denied"]);
        let detail = &reply.json()["errors"][0]["detail"];
        assert_eq!((&detail["registry"], &detail["step"]), (&"ghcr.io".into(), &"token".into()));
        let lines = proxied.sim.ledger().lines();
        let token = format!("token GET /token?service=ghcr.test&scope=repository:{name}:pull anonymous 403");
        assert_eq!(lines.last(), Some(&token), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains("user/image")), "{lines:#?}");
        proxied.sim.ledger().take();
        let head = proxied.head(target).await;
        assert_eq!(head.status, 403);
        assert_no_upstream_headers(&head);
        proxied.expect(&[]);
    }
}

#[tokio::test(start_paused = true)]
async fn repository_name_that_the_token_service_rejects_is_403() {
    let proxied = ProxiedRegistry::ghcr("").await;
    assert_rejected(&proxied.get("/v2/ghcr.io/python/manifests/1").await, "403 DENIED", &["invalid repository name"]);
    proxied.expect(&[
        "registry GET /v2/python/manifests/1 anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:python:pull anonymous 400",
    ]);
}

/// For a credential the token service returns the password as base64, so the token must not be logged either.
#[tokio::test(start_paused = true)]
async fn password_is_sent_only_to_the_token_service_and_is_not_logged() {
    let log = Log::capture();
    let proxied = ProxiedRegistry::ghcr(CREDENTIAL).await;
    assert_eq!(proxied.get(PRIVATE).await.status, 200);
    proxied.expect(&[
        "registry GET /v2/toddysm/private/manifests/1 anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:toddysm/private:pull basic:toddysm 200",
        "registry GET /v2/toddysm/private/manifests/1 bearer#1 200",
    ]);
    assert!(!log.text().is_empty());
    // The second is base64 of the password.
    for secret in ["ghp_toddysm", "Z2hwX3RvZGR5c20"] {
        assert!(!log.text().contains(secret), "{secret} in the log: {}", log.text());
    }
}

#[tokio::test(start_paused = true)]
async fn revoked_credential_is_reported_once_and_public_pulls_continue_anonymously() {
    let proxied = ProxiedRegistry::ghcr(&CREDENTIAL.replace("ghp_toddysm", "ghp_revoked")).await;
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    let [challenge, token, registry] = COLD;
    let rejected = "token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull basic:toddysm 403";
    proxied.expect(&[challenge, rejected, token, registry]);
    proxied.get(MANIFEST).await;
    proxied.expect(&[WARM]);
    let metric = proxied.regpass.metric("regpass_credential_rejected");
    assert_eq!(metric, [r#"regpass_credential_rejected_total{registry="ghcr.io"} 1"#]);
}

/// The token service does not support POST: regpass sends the identity token as a password by GET,
/// from the second token request on without trying POST first.
#[tokio::test(start_paused = true)]
async fn identity_token_is_sent_by_get_after_post_was_rejected_with_405() {
    let proxied =
        ProxiedRegistry::ghcr(r#"credential = { source = "identity", username = "toddysm", token = "ghp_toddysm" }"#)
            .await;
    assert_eq!(proxied.get(PRIVATE).await.status, 200);
    let get = "token GET /token?service=ghcr.test&scope=repository:toddysm/private:pull basic:toddysm 200";
    proxied.expect(&[
        "registry GET /v2/toddysm/private/manifests/1 anonymous 401",
        "token POST /token anonymous 405",
        get,
        "registry GET /v2/toddysm/private/manifests/1 bearer#1 200",
    ]);
    proxied.get(MANIFEST).await;
    proxied.expect(&[
        "token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull basic:toddysm 200",
        "registry GET /v2/toddysm/python/manifests/3.10 bearer#1 200",
    ]);
}

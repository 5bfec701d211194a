//! Credentials: where they are sent, and what happens when the token service rejects them.

use std::io::Write as _;

use super::{COLD, CREDENTIAL, MANIFEST, PRIVATE, WARM};
use crate::log::Log;
use crate::proxied_registry::{ProxiedRegistry, assert_rejected};
use crate::sim::{Image, ImageFormat};

const REJECTED: &str = r#"credential = { source = "password", username = "alice", password = "yesterdays" }"#;

/// The ledger shows the Authorization of every request: Basic appears only at the token service.
#[tokio::test(start_paused = true)]
async fn password_is_sent_only_to_the_token_service() {
    let proxied = ProxiedRegistry::docker_hub(CREDENTIAL).await;
    assert_eq!(proxied.get(PRIVATE).await.status, 200);
    proxied.expect(&[
        "registry GET /v2/alice/app/manifests/1 anonymous 401",
        "token GET /token?service=registry.docker.io&scope=repository:alice/app:pull basic:alice 200",
        "registry GET /v2/alice/app/manifests/1 bearer#1 200",
    ]);
    proxied.head(PRIVATE).await;
    proxied.expect(&["registry HEAD /v2/alice/app/manifests/1 bearer#1 200"]);
}

#[tokio::test(start_paused = true)]
async fn private_repository_without_a_credential_is_403() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    assert_rejected(&proxied.get(PRIVATE).await, "403 DENIED", &["alice/app", "needs a credential", "`credential`"]);
}

#[tokio::test(start_paused = true)]
async fn rejected_credential_is_reported_once_and_reads_continue_anonymously() {
    let log = Log::capture();
    let proxied = ProxiedRegistry::docker_hub(REJECTED).await;
    proxied.registry.publish("library/alpine", "3", &Image::single("alpine", ImageFormat::Oci));
    let reply = proxied.get(MANIFEST).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("server-timing").unwrap().contains("desc=\"login rejected, anonymous\""), "{reply:?}");
    let [challenge, token, registry] = COLD;
    let rejected = "token GET /token?service=registry.docker.io&scope=repository:library/python:pull basic:alice 401";
    proxied.expect(&[challenge, rejected, token, registry]);
    proxied.get(MANIFEST).await;
    proxied.get("/v2/alpine/manifests/3").await;
    proxied.expect(&[
        WARM,
        "token GET /token?service=registry.docker.io&scope=repository:library/alpine:pull anonymous 200",
        "registry GET /v2/library/alpine/manifests/3 bearer#2 200",
    ]);
    assert_eq!(
        proxied.regpass.metric("regpass_credential_rejected"),
        [r#"regpass_credential_rejected_total{registry="docker.io"} 1"#]
    );
    assert_eq!(log.count("WARN", "rejected the credential"), 1, "{}", log.text());
    assert!(!log.text().contains("yesterdays"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn denial_mentions_the_rejected_credential() {
    let proxied = ProxiedRegistry::docker_hub(REJECTED).await;
    assert_rejected(&proxied.get(PRIVATE).await, "403 DENIED", &["alice/app", "after rejecting the credential"]);
}

#[tokio::test(start_paused = true)]
async fn identity_token_is_exchanged_by_post() {
    let proxied =
        ProxiedRegistry::docker_hub(r#"credential = { source = "identity", token = "alices identity" }"#).await;
    proxied.registry.users().add_identity_token("alice", "alices identity");
    assert_eq!(proxied.get(PRIVATE).await.status, 200);
    proxied.expect(&[
        "registry GET /v2/alice/app/manifests/1 anonymous 401",
        "token POST /token?grant_type=refresh_token&client_id=regpass&service=registry.docker.io&scope=repository:alice/app:pull&refresh_token=… identity 200",
        "registry GET /v2/alice/app/manifests/1 bearer#1 200",
    ]);
}

#[tokio::test(start_paused = true)]
async fn credential_under_dockers_legacy_url_is_used() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // base64 of `alice:alices password`
    file.write_all(br#"{"auths":{"https://index.docker.io/v1/":{"auth":"YWxpY2U6YWxpY2VzIHBhc3N3b3Jk"}}}"#).unwrap();
    let source = format!("credential = {{ source = \"docker\", file = \"{}\" }}", file.path().display());
    let proxied = ProxiedRegistry::docker_hub(&source).await;
    assert_eq!(proxied.get(&PRIVATE.replace("/v2/", "/v2/hub.docker.com/")).await.status, 200);
    proxied.expect(&[
        "registry GET /v2/alice/app/manifests/1 anonymous 401",
        "token GET /token?service=registry.docker.io&scope=repository:alice/app:pull basic:alice 200",
        "registry GET /v2/alice/app/manifests/1 bearer#1 200",
    ]);
}

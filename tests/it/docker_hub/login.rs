//! Logins: who gets to see them, and what happens to bad ones.

use std::io::Write as _;

use super::{COLD, LOGIN, MANIFEST, PRIVATE, WARM};
use crate::log::Log;
use crate::sim::{Family, Image};
use crate::stage::{Stage, assert_refused};

const WRONG: &str = r#"credential = { source = "password", username = "alice", password = "yesterdays" }"#;

/// The ledger names every Authorization: Basic stands at the token service, and nowhere else.
#[tokio::test(start_paused = true)]
async fn a_password_goes_to_the_token_service_and_never_to_the_registry() {
    let stage = Stage::docker_hub(LOGIN).await;
    assert_eq!(stage.get(PRIVATE).await.status, 200);
    stage.expect(&[
        "registry GET /v2/alice/app/manifests/1 anonymous 401",
        "token GET /token?service=registry.docker.io&scope=repository:alice/app:pull basic:alice 200",
        "registry GET /v2/alice/app/manifests/1 bearer#1 200",
    ]);
    stage.head(PRIVATE).await;
    stage.expect(&["registry HEAD /v2/alice/app/manifests/1 bearer#1 200"]);
}

#[tokio::test(start_paused = true)]
async fn a_private_repository_without_a_login_is_a_403() {
    let stage = Stage::docker_hub("").await;
    assert_refused(&stage.get(PRIVATE).await, "403 DENIED", &["alice/app", "needs a login", "'credential'"]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_login_is_told_once_and_reads_go_on_without_it() {
    let log = Log::listen();
    let stage = Stage::docker_hub(WRONG).await;
    stage.registry.publish("library/alpine", "3", &Image::single("alpine", Family::Oci));
    let reply = stage.get(MANIFEST).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("server-timing").unwrap().contains("desc=\"login rejected, anonymous\""), "{reply:?}");
    let [challenge, token, registry] = COLD;
    let refused = "token GET /token?service=registry.docker.io&scope=repository:library/python:pull basic:alice 401";
    stage.expect(&[challenge, refused, token, registry]);
    stage.get(MANIFEST).await;
    stage.get("/v2/alpine/manifests/3").await;
    stage.expect(&[
        WARM,
        "token GET /token?service=registry.docker.io&scope=repository:library/alpine:pull anonymous 200",
        "registry GET /v2/library/alpine/manifests/3 bearer#2 200",
    ]);
    assert_eq!(
        stage.regpass.metric("regpass_credential_rejected"),
        [r#"regpass_credential_rejected_total{registry="docker.io"} 1"#]
    );
    assert_eq!(log.count("WARN", "rejects the stored login"), 1, "{}", log.text());
    assert!(!log.text().contains("yesterdays"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_login_shows_in_the_refusal_of_what_needs_one() {
    let stage = Stage::docker_hub(WRONG).await;
    assert_refused(&stage.get(PRIVATE).await, "403 DENIED", &["alice/app", "after rejecting the login"]);
}

#[tokio::test(start_paused = true)]
async fn an_identity_token_goes_by_post() {
    let stage = Stage::docker_hub(r#"credential = { source = "identity", token = "alices identity" }"#).await;
    stage.registry.users().add_identity("alice", "alices identity");
    assert_eq!(stage.get(PRIVATE).await.status, 200);
    stage.expect(&[
        "registry GET /v2/alice/app/manifests/1 anonymous 401",
        "token POST /token?grant_type=refresh_token&client_id=regpass&service=registry.docker.io&scope=repository:alice/app:pull&refresh_token=… identity 200",
        "registry GET /v2/alice/app/manifests/1 bearer#1 200",
    ]);
}

#[tokio::test(start_paused = true)]
async fn the_login_dockers_file_keeps_under_the_legacy_url_is_found() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // base64 of `alice:alices password`
    file.write_all(br#"{"auths":{"https://index.docker.io/v1/":{"auth":"YWxpY2U6YWxpY2VzIHBhc3N3b3Jk"}}}"#).unwrap();
    let source = format!("credential = {{ source = \"docker\", file = \"{}\" }}", file.path().display());
    let stage = Stage::docker_hub(&source).await;
    assert_eq!(stage.get(&PRIVATE.replace("/v2/", "/v2/hub.docker.com/")).await.status, 200);
    stage.expect(&[
        "registry GET /v2/alice/app/manifests/1 anonymous 401",
        "token GET /token?service=registry.docker.io&scope=repository:alice/app:pull basic:alice 200",
        "registry GET /v2/alice/app/manifests/1 bearer#1 200",
    ]);
}

//! The endpoints without a repository: root, `/v2/`, catalog.

use http::Method;

use super::{COLD, MANIFEST};
use crate::harness::request;
use crate::stage::{Stage, assert_clean, assert_ping, assert_refused, assert_root, at};

#[tokio::test(start_paused = true)]
async fn the_root_is_answered_by_regpass_and_never_the_text_404() {
    let stage = Stage::docker_hub("").await;
    assert_root(&stage, "docker.io").await;
}

#[tokio::test(start_paused = true)]
async fn v2_with_and_without_slash_is_answered_by_regpass_for_every_method() {
    let stage = Stage::docker_hub("").await;
    assert_ping(&stage, "docker.io").await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_fetches_no_token_that_a_pull_would_try_in_vain() {
    let stage = Stage::docker_hub("").await;
    stage.get("/v2/").await;
    assert_eq!(stage.get(MANIFEST).await.status, 200);
    stage.expect(&COLD);
}

#[tokio::test(start_paused = true)]
async fn the_catalog_is_a_405_without_any_upstream_call() {
    let stage = Stage::docker_hub("").await;
    for target in ["/v2/_catalog", "/v2/_catalog?n=10", "/v2/docker.io/_catalog", "/v2/_catalog?ns=docker.io"] {
        assert_refused(&stage.get(target).await, "405 UNSUPPORTED", &["docker.io", "hub.docker.com/v2/namespaces"]);
        let head = stage.head(target).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (405, 0));
        assert_clean(&head);
    }
    let request = at("docker.io.localhost:5050", request(Method::GET, "/v2/_catalog"));
    assert_refused(&stage.send(request).await, "405 UNSUPPORTED", &["docker.io"]);
    stage.expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_login_opens_no_catalog_either() {
    let login = r#"credential = { source = "password", username = "alice", password = "alices password" }"#;
    let stage = Stage::docker_hub(login).await;
    assert_refused(&stage.get("/v2/_catalog").await, "405 UNSUPPORTED", &[]);
    stage.expect(&[]);
}

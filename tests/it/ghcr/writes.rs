//! What writes: deletes, which the registry has not, and pushes, which it refuses to nobody in particular.

use http::Method;

use super::{LOGIN, MANIFEST, PRIVATE, WARM};
use crate::stage::{Stage, assert_refused};

#[tokio::test(start_paused = true)]
async fn deletes_are_a_405_without_any_upstream_call_whoever_asks() {
    for more in ["", "allow = [\"pull\", \"delete\"]", &format!("{LOGIN}\nallow = [\"pull\", \"push\", \"delete\"]")] {
        let stage = Stage::ghcr(more).await;
        let blob = format!("/v2/ghcr.io/toddysm/python/blobs/{}", stage.layer());
        for target in [MANIFEST, PRIVATE, &blob] {
            let reply = stage.method(&Method::DELETE, target).await;
            assert_refused(&reply, "405 UNSUPPORTED", &["ghcr.io does not support deleting", "package version"]);
        }
        stage.expect(&[]);
    }
}

#[tokio::test(start_paused = true)]
async fn pushes_are_refused_by_name_of_the_setting_until_they_are_allowed() {
    let stage = Stage::ghcr(LOGIN).await;
    let setting = r#"add "push" to 'allow' of [registry."ghcr.io"]"#;
    for (method, path) in [
        (Method::PUT, "manifests/3.11"),
        (Method::POST, "blobs/uploads/"),
        (Method::PATCH, "blobs/uploads/1"),
        (Method::PUT, "blobs/uploads/1"),
        (Method::DELETE, "blobs/uploads/1"),
    ] {
        let reply = stage.method(&method, &format!("/v2/ghcr.io/toddysm/python/{path}")).await;
        assert_refused(&reply, "403 DENIED", &[setting]);
    }
    stage.expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn an_anonymous_push_is_refused_by_the_token_service_before_it_is_sent() {
    let stage = Stage::ghcr(r#"allow = ["pull", "push"]"#).await;
    stage.warm(MANIFEST).await;
    let reply = stage.put_manifest("/v2/ghcr.io/toddysm/python/manifests/3.11").await;
    assert_refused(&reply, "403 DENIED", &["ghcr.io", "requested access to the resource is denied"]);
    stage.expect(&["token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull,push anonymous 403"]);
    stage.get(MANIFEST).await;
    stage.expect(&[WARM]);
}

//! What writes: deletes, which the registry has not, and pushes.

use http::Method;

use super::{LOGIN, MANIFEST, PRIVATE, WARM};
use crate::sim::{Family, Image};
use crate::stage::{Stage, assert_refused};

#[tokio::test(start_paused = true)]
async fn deletes_are_a_405_without_any_upstream_call_whoever_asks() {
    for more in ["", "allow = [\"pull\", \"delete\"]", &format!("{LOGIN}\nallow = [\"pull\", \"push\", \"delete\"]")] {
        let stage = Stage::ghcr(more).await;
        let blob = format!("/v2/ghcr.io/toddysm/python/blobs/{}", stage.layer());
        let digest = format!("/v2/ghcr.io/toddysm/python/manifests/{}", stage.image.digest());
        for target in [MANIFEST, PRIVATE, &digest, &blob] {
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
    let reply = stage.method(&Method::POST, "/v2/ghcr.io/toddysm/python/blobs/uploads/").await;
    assert_refused(&reply, "403 DENIED", &["ghcr.io", "requested access to the resource is denied"]);
    stage.expect(&[]);
    stage.get(MANIFEST).await;
    stage.expect(&[WARM]);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_pushed_with_a_login_is_a_201_whose_location_is_regpasss_own() {
    let stage = Stage::ghcr(&format!("{LOGIN}\nallow = [\"pull\", \"push\"]")).await;
    stage.warm(MANIFEST).await;
    let reply = stage.put_manifest("/v2/ghcr.io/toddysm/python/manifests/3.11").await;
    let digest = stage.image.digest();
    assert_eq!((reply.status.as_u16(), reply.body.len()), (201, 0), "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), Some(digest));
    assert_eq!(reply.header("location"), Some(&*format!("/v2/ghcr.io/toddysm/python/manifests/{digest}")));
    stage.expect(&[
        "token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull,push basic:toddysm 200",
        "registry PUT /v2/toddysm/python/manifests/3.11 bearer#1 201",
    ]);
    assert_eq!(stage.get("/v2/ghcr.io/toddysm/python/manifests/3.11").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_image_pushed_with_a_login_is_there() {
    let stage = Stage::ghcr(&format!("{LOGIN}\nallow = [\"pull\", \"push\"]")).await;
    stage.warm(MANIFEST).await;
    let image = Image::single("pushed", Family::Docker);
    stage.push("/v2/ghcr.io/toddysm/new", "1", &image).await;
    stage.assert_has("toddysm/new", "1", &image);
    let mut lines =
        vec!["token GET /token?service=ghcr.test&scope=repository:toddysm/new:pull,push basic:toddysm 200".to_owned()];
    for (at, blob) in image.blobs.iter().enumerate() {
        let session = format!("/v2/toddysm/new/blobs/upload/upload-{}", at + 1);
        lines.extend([
            "registry POST /v2/toddysm/new/blobs/uploads/ bearer#1 202".to_owned(),
            format!("registry PATCH {session} bearer#1 202"),
            format!("registry PUT {session}?digest={} bearer#1 201", blob.digest),
        ]);
    }
    lines.push("registry PUT /v2/toddysm/new/manifests/1 bearer#1 201".to_owned());
    stage.expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(stage.get("/v2/ghcr.io/toddysm/new/manifests/1").await.body, image.top().bytes);
}

/// The article deletes a blob by its bare hash.
#[tokio::test(start_paused = true)]
async fn a_digest_without_its_algorithm_is_a_400_without_any_upstream_call() {
    let stage = Stage::ghcr(LOGIN).await;
    let target = "/v2/ghcr.io/toddysm/python/blobs/1bc163a14ea6a886d1d0f9a9be878b1ffd08a9311e15861137ccd85bb87190f9";
    for method in [Method::GET, Method::DELETE] {
        assert_refused(&stage.method(&method, target).await, "400 DIGEST_INVALID", &[]);
    }
    stage.expect(&[]);
}

//! Deletes, which the registry does not support, and pushes.

use http::Method;

use super::{CREDENTIAL, MANIFEST, PRIVATE, WARM, start_warm};
use crate::proxied_registry::{ProxiedRegistry, assert_rejected};
use crate::seed_registries::{
    PUSH_REQUESTS, assert_image_is_pushed, assert_manifest_is_pushed, assert_writes_need_allow, push_requests,
};
use crate::sim::{Image, ImageFormat};

/// Manifests are deleted over another API, which needs a credential: see `vendor_apis::packages`.
#[tokio::test(start_paused = true)]
async fn delete_is_405_without_an_upstream_request() {
    for more in ["", CREDENTIAL] {
        let proxied = ProxiedRegistry::ghcr(&format!("{more}\nallow = [\"pull\", \"delete\"]")).await;
        let blob = format!("/v2/ghcr.io/toddysm/python/blobs/{}", proxied.layer());
        let digest = format!("/v2/ghcr.io/toddysm/python/manifests/{}", proxied.image.digest());
        let manifests: &[&str] = if more.is_empty() { &[MANIFEST, PRIVATE, &digest] } else { &[] };
        for target in manifests.iter().copied().chain([&*blob]) {
            let reply = proxied.method(&Method::DELETE, target).await;
            assert_rejected(&reply, "405 UNSUPPORTED", &["ghcr.io does not support deleting", "package versions"]);
        }
        proxied.expect(&[]);
    }
}

#[tokio::test(start_paused = true)]
async fn pushes_are_denied_until_the_configuration_allows_them() {
    let proxied = ProxiedRegistry::ghcr(CREDENTIAL).await;
    assert_writes_need_allow(&proxied, "ghcr.io", "push", &PUSH_REQUESTS).await;
}

#[tokio::test(start_paused = true)]
async fn anonymous_push_is_denied_by_the_token_service_before_it_is_sent() {
    let proxied = start_warm(r#"allow = ["pull", "push"]"#).await;
    let reply = proxied.put_manifest("/v2/ghcr.io/toddysm/python/manifests/3.11").await;
    assert_rejected(&reply, "403 DENIED", &["ghcr.io", "requested access to the resource is denied"]);
    proxied.expect(&["token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull,push anonymous 403"]);
    let reply = proxied.method(&Method::POST, "/v2/ghcr.io/toddysm/python/blobs/uploads/").await;
    assert_rejected(&reply, "403 DENIED", &["ghcr.io", "requested access to the resource is denied"]);
    proxied.expect(&[]);
    proxied.get(MANIFEST).await;
    proxied.expect(&[WARM]);
}

#[tokio::test(start_paused = true)]
async fn pushed_manifest_is_201_with_a_location_at_regpass() {
    let proxied = start_warm(&format!("{CREDENTIAL}\nallow = [\"pull\", \"push\"]")).await;
    assert_manifest_is_pushed(&proxied, "/v2/ghcr.io/toddysm/python/manifests", "3.11").await;
    proxied.expect(&[
        "token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull,push basic:toddysm 200",
        "registry PUT /v2/toddysm/python/manifests/3.11 bearer#1 201",
    ]);
    assert_eq!(proxied.get("/v2/ghcr.io/toddysm/python/manifests/3.11").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn image_pushed_with_a_credential_is_stored() {
    let proxied = start_warm(&format!("{CREDENTIAL}\nallow = [\"pull\", \"push\"]")).await;
    let image = Image::single("pushed", ImageFormat::Docker);
    let session = |number| format!("/v2/toddysm/new/blobs/upload/upload-{number}");
    let token = "token GET /token?service=ghcr.test&scope=repository:toddysm/new:pull,push basic:toddysm 200";
    let mut requests = push_requests("toddysm/new", &image, "bearer#1", session);
    requests.insert(0, token.to_owned());
    assert_image_is_pushed(&proxied, "/v2/ghcr.io", "toddysm/new", &image, &requests).await;
}

/// The article that `docs/seed.md` follows tries to delete a blob by its hash without `sha256:`.
#[tokio::test(start_paused = true)]
async fn digest_without_algorithm_is_400_without_an_upstream_request() {
    let proxied = ProxiedRegistry::ghcr(CREDENTIAL).await;
    let target = "/v2/ghcr.io/toddysm/python/blobs/1bc163a14ea6a886d1d0f9a9be878b1ffd08a9311e15861137ccd85bb87190f9";
    for method in [Method::GET, Method::DELETE] {
        assert_rejected(&proxied.method(&method, target).await, "400 DIGEST_INVALID", &[]);
    }
    proxied.expect(&[]);
}

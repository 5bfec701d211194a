//! Pulls: manifests, tags, blobs, referrers, and their headers.

use http::Method;

use super::{COLD, MANIFEST, TAGS, start_warm};
use crate::proxied_registry::{ProxiedRegistry, assert_no_upstream_headers};
use crate::seed_registries::{
    assert_blob_head_uses_get, assert_blob_is_redirected, assert_blob_range_is_206, assert_known_manifest_is_304,
};
use crate::sim::{Fault, Image, ImageFormat, media};

#[tokio::test(start_paused = true)]
async fn manifest_without_accept_has_its_native_type() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    for reply in [proxied.get(MANIFEST).await, proxied.get_with(MANIFEST, "accept", "*/*").await] {
        assert_eq!(reply.header("content-type"), Some(media::OCI_INDEX));
        assert_eq!(reply.header("docker-content-digest"), Some(proxied.image.digest()));
        assert_eq!(reply.body, proxied.image.top().bytes);
    }
    let head = proxied.head(MANIFEST).await;
    assert_eq!(head.header("content-type"), Some(media::OCI_INDEX));
    assert_eq!(head.header("content-length"), Some(&*proxied.image.top().bytes.len().to_string()));
}

#[tokio::test(start_paused = true)]
async fn accept_with_a_media_type_is_forwarded_unchanged() {
    let proxied = start_warm("").await;
    for (accept, kind) in [
        (media::SCHEMA_1, media::SCHEMA_1),
        ("application/json", media::SCHEMA_1),
        ("application/vnd.oci.image.index.v1+json;q=0.9, */*", media::OCI_INDEX),
    ] {
        let reply = proxied.get_with(MANIFEST, "accept", accept).await;
        assert_eq!(reply.header("content-type"), Some(kind), "{accept}");
        let received: Vec<_> =
            proxied.sim.ledger().take().iter().map(|entry| entry.headers["accept"].clone()).collect();
        assert_eq!(received, [accept]);
    }
}

#[tokio::test(start_paused = true)]
async fn manifest_head_has_the_cost_and_headers_of_get() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    let head = proxied.head(MANIFEST).await;
    let [_, token, _] = COLD;
    proxied.expect(&[
        "registry HEAD /v2/library/python/manifests/3.10 anonymous 401",
        token,
        "registry HEAD /v2/library/python/manifests/3.10 bearer#1 200",
    ]);
    let get = proxied.get(MANIFEST).await;
    for name in ["content-type", "content-length", "docker-content-digest", "etag", "ratelimit-limit"] {
        assert!(head.header(name).is_some() && head.header(name) == get.header(name), "{name}");
    }
    assert!(head.body.is_empty());
}

#[tokio::test(start_paused = true)]
async fn manifest_with_matching_etag_is_304() {
    assert_known_manifest_is_304(&ProxiedRegistry::docker_hub("").await, "3.10").await;
}

#[tokio::test(start_paused = true)]
async fn tags_arrive_on_one_page_without_a_link() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    let image = Image::single("python", ImageFormat::Oci);
    for number in 0..250 {
        proxied.registry.publish("library/python", &format!("2-alpine3.{number}"), &image);
    }
    let reply = proxied.get(TAGS).await;
    assert_eq!(
        (reply.json()["name"].as_str(), reply.json()["tags"].as_array().unwrap().len()),
        (Some("library/python"), 251)
    );
    assert_eq!(reply.header("link"), None);
    let head = proxied.head(TAGS).await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-type"), head.body.len()),
        (200, Some("application/json"), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn rate_limits_are_forwarded_but_cookies_and_challenges_are_not() {
    let proxied = start_warm("").await;
    for server in [proxied.registry.api(), proxied.registry.token_service(), proxied.registry.blob_store()] {
        server.inject(Fault::with_header("set-cookie", "session=1; Secure"));
        server.inject(Fault::with_header("www-authenticate", "Bearer realm=\"http://evil.test/token\""));
    }
    let blob = format!("/v2/library/python/blobs/{}", proxied.layer());
    for (target, limited) in
        [(MANIFEST, true), (TAGS, false), (&blob, false), ("/v2/library/python/manifests/no", true)]
    {
        for method in [Method::GET, Method::HEAD] {
            let reply = proxied.method(&method, target).await;
            assert_no_upstream_headers(&reply);
            assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"));
            assert_eq!(reply.header("ratelimit-limit"), limited.then_some("100;w=21600"), "{method} {target}");
            let remaining = reply.header("ratelimit-remaining").unwrap_or_default();
            assert_eq!(remaining.ends_with(";w=21600"), limited, "{method} {target}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn blob_redirect_is_followed_without_the_token() {
    let proxied = start_warm("").await;
    assert_blob_is_redirected(&proxied).await;
    assert_blob_head_uses_get(&proxied).await;
}

#[tokio::test(start_paused = true)]
async fn blob_range_is_206_through_the_redirect() {
    assert_blob_range_is_206(&start_warm("").await, "bytes=2-5", 2..6).await;
}

#[tokio::test(start_paused = true)]
async fn referrers_are_forwarded() {
    let proxied = start_warm("").await;
    let signature = Image::artifact("application/vnd.example.signature", proxied.image.top());
    proxied.registry.publish("library/python", "signature", &signature);
    let target = format!("/v2/library/python/referrers/{}", proxied.image.digest());
    let reply = proxied.get(&target).await;
    assert_eq!(reply.json()["manifests"][0]["digest"], signature.digest());
    assert_eq!(proxied.head(&target).await.header("content-type"), Some(media::OCI_INDEX));
    proxied.expect(&[&format!("registry GET {target} bearer#1 200"), &format!("registry HEAD {target} bearer#1 200")]);
}

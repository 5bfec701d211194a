//! Pulls: manifests, tags, blobs and referrers.

use http::Method;

use super::{COLD, MANIFEST, WARM, start_warm};
use crate::harness::request;
use crate::proxied_registry::{ProxiedRegistry, assert_no_upstream_headers, assert_rejected, with_host};
use crate::seed_registries::{
    assert_blob_head_uses_get, assert_blob_is_redirected, assert_blob_range_is_206, assert_known_manifest_is_304,
    assert_missing_tag_is_404, expect_blob_requests,
};
use crate::sim::{Delivery, Fault, Hop, HopTarget, media};

#[tokio::test(start_paused = true)]
async fn manifest_has_digest_media_type_and_etag() {
    let proxied = ProxiedRegistry::ghcr("").await;
    let get = proxied.get(MANIFEST).await;
    assert_eq!(get.body, proxied.image.top().bytes);
    let head = proxied.head(MANIFEST).await;
    let (etag, length) = (format!("\"{}\"", proxied.image.digest()), get.body.len().to_string());
    for reply in [&get, &head] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some(media::DOCKER_MANIFEST));
        assert_eq!(reply.header("docker-content-digest"), Some(proxied.image.digest()));
        assert_eq!((reply.header("etag"), reply.header("content-length")), (Some(&*etag), Some(&*length)));
        assert_no_upstream_headers(reply);
    }
    assert!(head.body.is_empty());
    let [challenge, token, registry] = COLD;
    proxied.expect(&[challenge, token, registry, "registry HEAD /v2/toddysm/python/manifests/3.10 bearer#1 200"]);
}

#[tokio::test(start_paused = true)]
async fn every_name_of_the_registry_is_the_same_registry() {
    let proxied = ProxiedRegistry::ghcr("alias = \"gh\"").await;
    proxied.warm(MANIFEST).await;
    let path = "/v2/toddysm/python/manifests/3.10";
    for (host, target) in [
        ("localhost:5050", MANIFEST.to_owned()),
        ("localhost:5050", format!("{path}?ns=ghcr.io")),
        ("localhost:5050", MANIFEST.replace("ghcr.io", "gh")),
        ("ghcr.io.localhost:5050", path.to_owned()),
        ("gh.localhost:5050", path.to_owned()),
    ] {
        let reply = proxied.send(with_host(host, request(Method::GET, &target))).await;
        assert_eq!(reply.header("docker-content-digest"), Some(proxied.image.digest()), "{host} {target}");
        proxied.expect(&[WARM]);
    }
}

#[tokio::test(start_paused = true)]
async fn manifest_with_matching_etag_is_304() {
    assert_known_manifest_is_304(&ProxiedRegistry::ghcr("").await, "3.10").await;
}

/// GHCR lists a hundred tags on a page, the oldest first, with a relative `Link`.
#[tokio::test(start_paused = true)]
async fn tag_pages_are_linked_below_the_requested_path() {
    let proxied = ProxiedRegistry::ghcr("").await;
    for number in 0..120 {
        proxied.registry.publish("toddysm/python", &format!("t{number:03}"), &proxied.image);
    }
    proxied.warm(MANIFEST).await;
    for (target, next) in [
        ("/v2/ghcr.io/toddysm/python/tags/list", "/v2/ghcr.io/toddysm/python/tags/list?last=t098&n=100"),
        ("/v2/toddysm/python/tags/list?ns=ghcr.io", "/v2/toddysm/python/tags/list?last=t098&n=100&ns=ghcr.io"),
    ] {
        let first = proxied.get(target).await;
        assert_eq!(first.header("link"), Some(&*format!("<{next}>; rel=\"next\"")));
        assert_eq!(first.json()["tags"].as_array().unwrap().len(), 100);
        assert_eq!(proxied.head(target).await.header("link"), first.header("link"));
        let last = proxied.get(next).await;
        assert_eq!((last.json()["tags"].as_array().unwrap().len(), last.header("link")), (21, None));
        proxied.expect(&[
            "registry GET /v2/toddysm/python/tags/list bearer#1 200",
            "registry HEAD /v2/toddysm/python/tags/list bearer#1 200",
            "registry GET /v2/toddysm/python/tags/list?last=t098&n=100 bearer#1 200",
        ]);
    }
}

#[tokio::test(start_paused = true)]
async fn blob_redirect_is_followed_without_the_token() {
    assert_blob_is_redirected(&start_warm("").await).await;
}

/// The blob store replies 403 to HEAD, as the URL is signed for GET.
#[tokio::test(start_paused = true)]
async fn blob_head_uses_get_at_the_signed_url() {
    assert_blob_head_uses_get(&start_warm("").await).await;
}

#[tokio::test(start_paused = true)]
async fn blob_range_is_206_and_matching_etag_is_304() {
    let proxied = start_warm("").await;
    let length = proxied.image.blobs[0].slice().to_bytes().len();
    assert_blob_range_is_206(&proxied, "bytes=10-", 10..length).await;
    let (digest, etag) = (proxied.layer(), format!("\"{}\"", proxied.layer()));
    let known = proxied.get_with(&proxied.client_path(&format!("blobs/{digest}")), "if-none-match", &etag).await;
    assert_eq!((known.status.as_u16(), known.header("etag")), (304, Some(&*etag)));
    expect_blob_requests(&proxied, &[(Method::GET, 304)]);
}

#[tokio::test(start_paused = true)]
async fn relative_redirect_is_followed_without_the_token() {
    let proxied = ProxiedRegistry::ghcr("").await;
    let hops = [Hop::new(307, HopTarget::SameOrigin), Hop::new(307, HopTarget::BlobStore)];
    proxied.registry.change_preset(|preset| preset.pull.blobs = Delivery::redirect(&hops));
    proxied.warm(MANIFEST).await;
    let digest = proxied.layer();
    let blob = format!("blobs/{digest}");
    let reply = proxied.get(&proxied.client_path(&blob)).await;
    assert_eq!(reply.body, proxied.image.blobs[0].slice().to_bytes());
    proxied.expect(&[
        &format!("registry GET {} bearer#1 307", proxied.registry_path(&blob)),
        &format!("registry GET /hop/1/signed/{digest}?expires=…&signature=… anonymous 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 200"),
    ]);
}

/// GHCR redirects requests for referrers to a web page, with a shortened digest in its URL.
#[tokio::test(start_paused = true)]
async fn referrers_are_404_and_the_303_is_not_followed() {
    let proxied = start_warm("").await;
    let referrers = format!("referrers/{}", proxied.image.digest());
    let (target, upstream) = (proxied.client_path(&referrers), proxied.registry_path(&referrers));
    let tag = proxied.registry_path(&format!("manifests/{}", proxied.image.digest().replace(':', "-")));
    let reply = proxied.get(&target).await;
    assert_eq!(reply.status_and_code(), "404 UNSUPPORTED");
    assert_eq!(reply.header("location"), None);
    let head = proxied.head(&target).await;
    assert_eq!((head.status.as_u16(), head.header("location")), (404, None));
    // From then on regpass knows that only the referrers tag can list them.
    proxied.expect(&[
        &format!("registry GET {upstream} bearer#1 303"),
        &format!("registry GET {tag} bearer#1 404"),
        &format!("registry GET {tag} bearer#1 404"),
    ]);
    assert!(proxied.sim.network().dials().iter().all(|address| address == "ghcr.test:80"));
}

#[tokio::test(start_paused = true)]
async fn missing_tag_is_404_with_the_registrys_detail() {
    assert_missing_tag_is_404(&start_warm("").await, "ghcr.io").await;
}

#[tokio::test(start_paused = true)]
async fn html_error_page_becomes_a_429_error_document() {
    let proxied = start_warm("").await;
    proxied.registry.api().inject(Fault::html(429).times(1));
    let reply = proxied.get(MANIFEST).await;
    assert_rejected(&reply, "429 TOOMANYREQUESTS", &["No server is available"]);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    proxied.expect(&["registry GET /v2/toddysm/python/manifests/3.10 bearer#1 429"]);
}

//! What a pull gets: manifests, tags, blobs, and no referrers.

use http::Method;

use super::{COLD, MANIFEST, WARM};
use crate::harness::{request, with};
use crate::sim::{Delivery, Fault, Hop, Place, media};
use crate::stage::{Stage, assert_clean, assert_refused, at};

#[tokio::test(start_paused = true)]
async fn a_manifest_comes_with_digest_type_and_etag_by_get_and_head() {
    let stage = Stage::ghcr("").await;
    let get = stage.get(MANIFEST).await;
    assert_eq!(get.body, stage.image.top().bytes);
    let head = stage.head(MANIFEST).await;
    let (etag, length) = (format!("\"{}\"", stage.image.digest()), get.body.len().to_string());
    for reply in [&get, &head] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some(media::DOCKER_MANIFEST));
        assert_eq!(reply.header("docker-content-digest"), Some(stage.image.digest()));
        assert_eq!((reply.header("etag"), reply.header("content-length")), (Some(&*etag), Some(&*length)));
        assert_clean(reply);
    }
    assert!(head.body.is_empty());
    let [challenge, token, registry] = COLD;
    stage.expect(&[challenge, token, registry, "registry HEAD /v2/toddysm/python/manifests/3.10 bearer#1 200"]);
}

#[tokio::test(start_paused = true)]
async fn every_way_to_name_it_is_the_same_registry() {
    let stage = Stage::ghcr("alias = \"gh\"").await;
    stage.warm(MANIFEST).await;
    let path = "/v2/toddysm/python/manifests/3.10";
    for (host, target) in [
        ("localhost:5050", MANIFEST.to_owned()),
        ("localhost:5050", format!("{path}?ns=ghcr.io")),
        ("localhost:5050", MANIFEST.replace("ghcr.io", "gh")),
        ("ghcr.io.localhost:5050", path.to_owned()),
        ("gh.localhost:5050", path.to_owned()),
    ] {
        let reply = stage.send(at(host, request(Method::GET, &target))).await;
        assert_eq!(reply.header("docker-content-digest"), Some(stage.image.digest()), "{host} {target}");
        stage.expect(&[WARM]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_the_client_has_already_is_a_304() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    let etag = format!("\"{}\"", stage.image.digest());
    for method in [Method::GET, Method::HEAD] {
        let reply = stage.send(with(request(method.clone(), MANIFEST), "if-none-match", &etag)).await;
        assert_eq!((reply.status.as_u16(), reply.body.len(), reply.header("etag")), (304, 0, Some(&*etag)));
        stage.expect(&[&format!("registry {method} /v2/toddysm/python/manifests/3.10 bearer#1 304")]);
    }
}

/// A hundred a page, oldest first, with a relative Link.
#[tokio::test(start_paused = true)]
async fn tags_come_page_by_page_below_the_path_that_was_asked() {
    let stage = Stage::ghcr("").await;
    for number in 0..120 {
        stage.registry.publish("toddysm/python", &format!("t{number:03}"), &stage.image);
    }
    stage.warm(MANIFEST).await;
    for (target, next) in [
        ("/v2/ghcr.io/toddysm/python/tags/list", "/v2/ghcr.io/toddysm/python/tags/list?last=t098&n=100"),
        ("/v2/toddysm/python/tags/list?ns=ghcr.io", "/v2/toddysm/python/tags/list?last=t098&n=100&ns=ghcr.io"),
    ] {
        let first = stage.get(target).await;
        assert_eq!(first.header("link"), Some(&*format!("<{next}>; rel=\"next\"")));
        assert_eq!(first.json()["tags"].as_array().unwrap().len(), 100);
        assert_eq!(stage.head(target).await.header("link"), first.header("link"));
        let last = stage.get(next).await;
        assert_eq!((last.json()["tags"].as_array().unwrap().len(), last.header("link")), (21, None));
        stage.expect(&[
            "registry GET /v2/toddysm/python/tags/list bearer#1 200",
            "registry HEAD /v2/toddysm/python/tags/list bearer#1 200",
            "registry GET /v2/toddysm/python/tags/list?last=t098&n=100 bearer#1 200",
        ]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_blob_comes_through_its_redirect_without_the_token() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    let (target, at_registry, digest) = blob(&stage);
    let reply = stage.get(&target).await;
    assert_eq!((reply.status.as_u16(), reply.whole), (200, true));
    assert_eq!(reply.body, stage.image.blobs[0].slice().to_bytes());
    assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
    assert_eq!(reply.header("location"), None);
    stage.expect(&[
        &format!("registry GET {at_registry} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 200"),
    ]);
}

/// The target is signed for GET and answers 403 to HEAD.
#[tokio::test(start_paused = true)]
async fn a_head_of_a_blob_is_answered_through_the_url_that_is_signed_for_get() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    let (target, at_registry, digest) = blob(&stage);
    let head = stage.head(&target).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*stage.image.blobs[0].len().to_string()));
    assert_eq!(head.header("content-range"), None);
    assert_eq!(head.header("docker-content-digest"), Some(&*digest));
    stage.expect(&[
        &format!("registry HEAD {at_registry} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 206"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_blob_is_a_206_and_a_known_one_a_304() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    let (target, at_registry, digest) = blob(&stage);
    let whole = stage.image.blobs[0].slice().to_bytes();
    let part = stage.get_with(&target, "range", "bytes=10-").await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &whole[10..]));
    let etag = format!("\"{digest}\"");
    let known = stage.get_with(&target, "if-none-match", &etag).await;
    assert_eq!((known.status.as_u16(), known.header("etag")), (304, Some(&*etag)));
    stage.expect(&[
        &format!("registry GET {at_registry} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 206"),
        &format!("registry GET {at_registry} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 304"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_relative_location_is_followed_without_the_token() {
    let stage = Stage::ghcr("").await;
    let hops = [Hop::new(307, Place::Here), Hop::new(307, Place::Blobs)];
    stage.registry.change(|preset| preset.pull.blobs = Delivery::redirect(&hops));
    stage.warm(MANIFEST).await;
    let (target, at_registry, digest) = blob(&stage);
    assert_eq!(stage.get(&target).await.body, stage.image.blobs[0].slice().to_bytes());
    stage.expect(&[
        &format!("registry GET {at_registry} bearer#1 307"),
        &format!("registry GET /hop/1/signed/{digest}?expires=…&signature=… anonymous 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 200"),
    ]);
}

/// It sends askers to a web page with a cut digest.
#[tokio::test(start_paused = true)]
async fn referrers_are_a_404_and_the_303_is_not_followed() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    let at_registry = format!("/v2/toddysm/python/referrers/{}", stage.image.digest());
    let target = at_registry.replace("/v2/", "/v2/ghcr.io/");
    let reply = stage.get(&target).await;
    assert_eq!(reply.verdict(), "404 UNSUPPORTED");
    assert_eq!(reply.header("location"), None);
    let head = stage.head(&target).await;
    assert_eq!((head.status.as_u16(), head.header("location")), (404, None));
    stage.expect(&[
        &format!("registry GET {at_registry} bearer#1 303"),
        &format!("registry HEAD {at_registry} bearer#1 303"),
    ]);
    assert!(stage.sim.network().dials().iter().all(|address| address == "ghcr.test:80"));
}

#[tokio::test(start_paused = true)]
async fn a_missing_tag_is_a_404_with_the_registrys_detail() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    let reply = stage.get("/v2/ghcr.io/toddysm/python/manifests/none").await;
    assert_refused(&reply, "404 MANIFEST_UNKNOWN", &["manifest unknown"]);
    assert_eq!(reply.json()["errors"][0]["detail"]["upstream"]["Tag"], "none");
    stage.expect(&["registry GET /v2/toddysm/python/manifests/none bearer#1 404"]);
}

#[tokio::test(start_paused = true)]
async fn an_html_page_of_its_balancer_is_an_error_in_the_common_form() {
    let stage = Stage::ghcr("").await;
    stage.warm(MANIFEST).await;
    stage.registry.registry().inject(Fault::html(429).times(1));
    let reply = stage.get(MANIFEST).await;
    assert_refused(&reply, "429 TOOMANYREQUESTS", &["No server is available"]);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    stage.expect(&["registry GET /v2/toddysm/python/manifests/3.10 bearer#1 429"]);
}

/// A layer: as a client asks for it, as the registry is asked, and its digest.
fn blob(stage: &Stage) -> (String, String, String) {
    let digest = stage.layer();
    (format!("/v2/ghcr.io/toddysm/python/blobs/{digest}"), format!("/v2/toddysm/python/blobs/{digest}"), digest)
}

//! What a pull gets: manifests, tags, blobs, referrers, and the headers on them.

use http::Method;

use super::{COLD, MANIFEST, TAGS};
use crate::harness::{request, with};
use crate::sim::{Fault, Image, media};
use crate::stage::{Stage, assert_clean};

#[tokio::test(start_paused = true)]
async fn a_manifest_asked_for_without_accept_comes_in_its_native_type() {
    let stage = Stage::docker_hub("").await;
    for reply in [stage.get(MANIFEST).await, stage.get_with(MANIFEST, "accept", "*/*").await] {
        assert_eq!(reply.header("content-type"), Some(media::OCI_INDEX));
        assert_eq!(reply.header("docker-content-digest"), Some(stage.image.digest()));
        assert_eq!(reply.body, stage.image.top().bytes);
    }
    let head = stage.head(MANIFEST).await;
    assert_eq!(head.header("content-type"), Some(media::OCI_INDEX));
    assert_eq!(head.header("content-length"), Some(&*stage.image.top().bytes.len().to_string()));
}

#[tokio::test(start_paused = true)]
async fn an_accept_that_names_a_type_passes_untouched() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    for (accept, kind) in [
        (media::SCHEMA_1, media::SCHEMA_1),
        ("application/json", media::SCHEMA_1),
        ("application/vnd.oci.image.index.v1+json;q=0.9, */*", media::OCI_INDEX),
    ] {
        let reply = stage.get_with(MANIFEST, "accept", accept).await;
        assert_eq!(reply.header("content-type"), Some(kind), "{accept}");
        let seen: Vec<_> = stage.sim.ledger().take().iter().map(|entry| entry.headers["accept"].clone()).collect();
        assert_eq!(seen, [accept]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_of_a_manifest_costs_and_tells_what_a_get_does() {
    let stage = Stage::docker_hub("").await;
    let head = stage.head(MANIFEST).await;
    let [_, token, _] = COLD;
    stage.expect(&[
        "registry HEAD /v2/library/python/manifests/3.10 anonymous 401",
        token,
        "registry HEAD /v2/library/python/manifests/3.10 bearer#1 200",
    ]);
    let get = stage.get(MANIFEST).await;
    for name in ["content-type", "content-length", "docker-content-digest", "etag", "ratelimit-limit"] {
        assert!(head.header(name).is_some() && head.header(name) == get.header(name), "{name}");
    }
    assert!(head.body.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_manifest_the_client_has_already_is_a_304() {
    let stage = Stage::docker_hub("").await;
    let etag = format!("\"{}\"", stage.image.digest());
    assert_eq!(stage.get(MANIFEST).await.header("etag"), Some(&*etag));
    stage.sim.ledger().take();
    for method in [Method::GET, Method::HEAD] {
        let reply = stage.send(with(request(method.clone(), MANIFEST), "if-none-match", &etag)).await;
        assert_eq!((reply.status.as_u16(), reply.body.len(), reply.header("etag")), (304, 0, Some(&*etag)));
        stage.expect(&[&format!("registry {method} {MANIFEST} bearer#1 304")]);
    }
}

#[tokio::test(start_paused = true)]
async fn tags_come_whole_and_without_a_link() {
    let stage = Stage::docker_hub("").await;
    let image = Image::single("python", crate::sim::Family::Oci);
    for number in 0..250 {
        stage.registry.publish("library/python", &format!("2-alpine3.{number}"), &image);
    }
    let reply = stage.get(TAGS).await;
    assert_eq!(
        (reply.json()["name"].as_str(), reply.json()["tags"].as_array().unwrap().len()),
        (Some("library/python"), 251)
    );
    assert_eq!(reply.header("link"), None);
    let head = stage.head(TAGS).await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-type"), head.body.len()),
        (200, Some("application/json"), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn rate_limits_pass_and_what_is_between_proxy_and_registry_does_not() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    for server in [stage.registry.registry(), stage.registry.token(), stage.registry.blobs()] {
        server.inject(Fault::with_header("set-cookie", "session=1; Secure"));
        server.inject(Fault::with_header("www-authenticate", "Bearer realm=\"http://evil.test/token\""));
    }
    let blob = format!("/v2/library/python/blobs/{}", stage.layer());
    for (target, limited) in
        [(MANIFEST, true), (TAGS, false), (&blob, false), ("/v2/library/python/manifests/no", true)]
    {
        for method in [Method::GET, Method::HEAD] {
            let reply = stage.method(&method, target).await;
            assert_clean(&reply);
            assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"));
            assert_eq!(reply.header("ratelimit-limit"), limited.then_some("100;w=21600"), "{method} {target}");
            let remaining = reply.header("ratelimit-remaining").unwrap_or_default();
            assert_eq!(remaining.ends_with(";w=21600"), limited, "{method} {target}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_blob_comes_through_its_redirect_without_the_token() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    let digest = stage.layer();
    let target = format!("/v2/library/python/blobs/{digest}");
    let reply = stage.get(&target).await;
    assert_eq!((reply.status.as_u16(), reply.whole), (200, true));
    assert_eq!(reply.body, stage.image.blobs[0].slice().to_bytes());
    assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
    assert_eq!(reply.header("location"), None);
    stage.expect(&[
        &format!("registry GET {target} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 200"),
    ]);
    let head = stage.head(&target).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*reply.body.len().to_string()));
    stage.expect(&[
        &format!("registry HEAD {target} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 206"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_blob_is_a_206_through_the_redirect() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    let digest = stage.layer();
    let target = format!("/v2/library/python/blobs/{digest}");
    let reply = stage.get_with(&target, "range", "bytes=2-5").await;
    let whole = stage.image.blobs[0].slice().to_bytes();
    assert_eq!((reply.status.as_u16(), &reply.body[..]), (206, &whole[2..6]));
    assert_eq!(reply.header("content-range"), Some(&*format!("bytes 2-5/{}", whole.len())));
    stage.expect(&[
        &format!("registry GET {target} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 206"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn referrers_come_as_the_registry_has_them() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    let signature = Image::artifact("application/vnd.example.signature", stage.image.top());
    stage.registry.publish("library/python", "signature", &signature);
    let target = format!("/v2/library/python/referrers/{}", stage.image.digest());
    let reply = stage.get(&target).await;
    assert_eq!(reply.json()["manifests"][0]["digest"], signature.digest());
    assert_eq!(stage.head(&target).await.header("content-type"), Some(media::OCI_INDEX));
    stage.expect(&[&format!("registry GET {target} bearer#1 200"), &format!("registry HEAD {target} bearer#1 200")]);
}

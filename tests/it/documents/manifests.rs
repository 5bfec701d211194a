//! Manifests and other documents that arrive encoded, incomplete, broken, or wrong.

use http::Method;

use super::{Setup, TAG, TAGS, encoded};
use crate::harness::{request, with_header};
use crate::sim::{self, Fault, Image, ImageFormat, media, sha256};

#[tokio::test(start_paused = true)]
async fn encoded_documents_are_decoded() {
    let setup = Setup::start("").await;
    for target in [TAG, &setup.by_digest(), TAGS, "/v2/_catalog"] {
        let plain = setup.regpass.get(target).await;
        let reply = setup.get_with_fault(Fault::gzip(), target).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &plain.body), "{target}");
        assert_eq!(reply.header("content-encoding"), None);
        assert_eq!(reply.header("content-length"), Some(&*plain.body.len().to_string()));
        assert_eq!(reply.header("docker-content-digest"), plain.header("docker-content-digest"));
    }
    for name in ["x-gzip", "deflate", "GZIP", "identity"] {
        let body = if name == "identity" { setup.manifest().clone() } else { encoded(name, setup.manifest()) };
        let encoded_reply = sim::Reply::new(200).body(media::DOCKER_MANIFEST, body).header("content-encoding", name);
        let reply = setup.get_with_fault(Fault::answer(encoded_reply), TAG).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, setup.manifest()), "{name}");
    }
    assert!(setup.sim.ledger().take().iter().all(|entry| entry.headers["accept-encoding"] == "identity"));
}

#[tokio::test(start_paused = true)]
async fn unknown_or_broken_encodings_are_502() {
    let setup = Setup::start("").await;
    for (name, body) in [
        ("br", setup.manifest().clone()),
        ("zstd", setup.manifest().clone()),
        ("gzip, gzip", setup.manifest().clone()),
        ("gzip", setup.manifest().clone()),
        ("gzip", encoded("gzip", setup.manifest()).slice(..40)),
    ] {
        for target in [TAG, TAGS] {
            let encoded_reply =
                sim::Reply::new(200).body(media::DOCKER_MANIFEST, body.clone()).header("content-encoding", name);
            let reply = setup.get_with_fault(Fault::answer(encoded_reply), target).await;
            assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{name} {target}");
            assert!(reply.error().1.contains("Content-Encoding"), "{name}");
        }
    }
    // 32 MiB of spaces, compressed to a few kilobytes.
    let bomb = sim::Reply::new(200).body(media::DOCKER_MANIFEST, encoded("gzip", &vec![b' '; 32 << 20]));
    let reply = setup.get_with_fault(Fault::answer(bomb.header("content-encoding", "gzip")), TAG).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("too large"));
}

#[tokio::test(start_paused = true)]
async fn invalid_digest_header_is_replaced_by_the_computed_digest() {
    let setup = Setup::start("").await;
    for invalid in ["latest", "sha256:12", "md5:d41d8cd98f00b204e9800998ecf8427e", ""] {
        for target in [TAG, &setup.by_digest()] {
            let manifest = sim::Reply::new(200)
                .body(&setup.image.top().media_type, setup.manifest().clone())
                .header("docker-content-digest", invalid);
            let fault = setup.registry.api().inject(Fault::answer(manifest));
            for method in [Method::GET, Method::HEAD] {
                let reply = setup.regpass.send(request(method.clone(), target)).await;
                let digest = reply.header("docker-content-digest");
                assert_eq!((reply.status.as_u16(), digest), (200, Some(setup.image.digest())), "{method} {invalid:?}");
            }
            fault.remove();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn missing_digest_is_computed_with_a_get_for_head() {
    let setup = Setup::start("").await;
    setup.registry.change_preset(|preset| preset.pull.digest_header = false);
    let reply = setup.regpass.get(TAG).await;
    assert_eq!(reply.header("docker-content-digest"), Some(setup.image.digest()));
    setup.sim.ledger().expect(&["registry GET /v2/acme/app/manifests/1 anonymous 200"]);
    let reply = setup.regpass.head(TAG).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(setup.image.digest()));
    assert_eq!(reply.header("content-length"), Some(&*setup.manifest().len().to_string()));
    assert_eq!(reply.header("content-type"), Some(media::DOCKER_MANIFEST));
    setup.sim.ledger().expect(&[
        "registry HEAD /v2/acme/app/manifests/1 anonymous 200",
        "registry GET /v2/acme/app/manifests/1 anonymous 200",
    ]);
    // A request by digest contains the digest already, so no GET is needed.
    let reply = setup.regpass.head(&setup.by_digest()).await;
    assert_eq!(reply.header("docker-content-digest"), Some(setup.image.digest()));
    setup.sim.ledger().expect(&[&format!("registry HEAD {} anonymous 200", setup.by_digest())]);
    let blob = format!("/v2/acme/app/blobs/{}", setup.image.blob_digests()[0]);
    for reply in [setup.regpass.head(&blob).await, setup.regpass.get(&blob).await] {
        assert_eq!(reply.header("docker-content-digest"), Some(setup.image.blob_digests()[0]));
    }
}

#[tokio::test(start_paused = true)]
async fn missing_media_type_is_read_from_the_manifest() {
    let setup = Setup::start("").await;
    let reply = setup.get_with_fault(Fault::without_header("content-type"), TAG).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(media::DOCKER_MANIFEST)));
    let bare = sim::Reply::new(200).body("x", r#"{"schemaVersion":2,"manifests":[]}"#).without_header("content-type");
    let reply = setup.get_with_fault(Fault::answer(bare), TAG).await;
    assert_eq!(reply.header("content-type"), Some(media::OCI_INDEX));
}

#[tokio::test(start_paused = true)]
async fn web_page_with_status_200_is_502() {
    let setup = Setup::start("").await;
    for target in [TAG, TAGS, "/v2/_catalog"] {
        let reply = setup.get_with_fault(Fault::html(200), target).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{target}");
        assert!(reply.error().1.contains("web page") && reply.error().1.contains("reg.test"), "{reply:?}");
    }
    setup.registry.api().inject(Fault::html(200));
    assert_eq!(setup.regpass.head(TAG).await.status, 502);
}

#[tokio::test(start_paused = true)]
async fn incomplete_document_is_502() {
    let setup = Setup::start("").await;
    for fault in [Fault::close_mid_body, Fault::reset_mid_body, Fault::hang_mid_body] {
        for after in [0, 10] {
            let reply = setup.get_with_fault(fault(after), TAG).await;
            assert_eq!((reply.status_and_code(), reply.complete), ("502 UNAVAILABLE".to_owned(), true));
            assert_eq!(reply.json()["errors"][0]["detail"]["step"], "transfer");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn manifest_that_does_not_match_its_digest_is_502() {
    let setup = Setup::start("").await;
    for target in [TAG.to_owned(), setup.by_digest()] {
        let reply = setup.get_with_fault(Fault::truncated(100), &target).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{target}");
        assert!(reply.error().1.contains("digest"), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn client_without_accept_gets_the_native_manifest() {
    let setup = Setup::start("").await;
    let oci = Image::single("oci", ImageFormat::Oci);
    setup.registry.publish("acme/app", "oci", &oci);
    for accept in [None, Some("*/*"), Some("*/*;q=0.5"), Some("")] {
        let mut request = request(Method::GET, "/v2/acme/app/manifests/oci");
        if let Some(accept) = accept {
            request = with_header(request, "accept", accept);
        }
        let reply = setup.regpass.send(request).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("content-type")),
            (200, Some(media::OCI_MANIFEST)),
            "{accept:?}"
        );
        assert_eq!(sha256(&reply.body), oci.digest());
    }
    let named = with_header(request(Method::GET, "/v2/acme/app/manifests/oci"), "accept", media::DOCKER_MANIFEST);
    assert_eq!(
        setup.regpass.send(named).await.status_and_code(),
        "404 MANIFEST_UNKNOWN",
        "an Accept that names a media type is not extended"
    );
    let known = with_header(request(Method::GET, TAG), "if-none-match", &format!("\"{}\"", setup.image.digest()));
    let reply = setup.regpass.send(known).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (304, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(setup.image.digest()));
}

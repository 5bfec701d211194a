//! Documents as they arrive: encoded, incomplete, cut short, without end.

use http::Method;

use super::{TAG, TAGS, World, encoded};
use crate::harness::{request, with};
use crate::sim::{self, Family, Fault, Image, media, sha256};

#[tokio::test(start_paused = true)]
async fn documents_that_come_encoded_are_decoded() {
    let world = World::start("").await;
    for target in [TAG, &world.by_digest(), TAGS, "/v2/_catalog"] {
        let plain = world.regpass.get(target).await;
        let reply = world.under(Fault::gzip(), target).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &plain.body), "{target}");
        assert_eq!(reply.header("content-encoding"), None);
        assert_eq!(reply.header("content-length"), Some(&*plain.body.len().to_string()));
        assert_eq!(reply.header("docker-content-digest"), plain.header("docker-content-digest"));
    }
    for name in ["x-gzip", "deflate", "GZIP", "identity"] {
        let body = if name == "identity" { world.manifest().clone() } else { encoded(name, world.manifest()) };
        let answer = sim::Reply::new(200).body(media::DOCKER_MANIFEST, body).header("content-encoding", name);
        let reply = world.under(Fault::answer(answer), TAG).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, world.manifest()), "{name}");
    }
    assert!(world.sim.ledger().take().iter().all(|entry| entry.headers["accept-encoding"] == "identity"));
}

#[tokio::test(start_paused = true)]
async fn documents_in_encodings_nobody_knows_are_no_answer() {
    let world = World::start("").await;
    for (name, body) in [
        ("br", world.manifest().clone()),
        ("zstd", world.manifest().clone()),
        ("gzip, gzip", world.manifest().clone()),
        ("gzip", world.manifest().clone()),
        ("gzip", encoded("gzip", world.manifest()).slice(..40)),
    ] {
        for target in [TAG, TAGS] {
            let answer =
                sim::Reply::new(200).body(media::DOCKER_MANIFEST, body.clone()).header("content-encoding", name);
            let reply = world.under(Fault::answer(answer), target).await;
            assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{name} {target}");
            assert!(reply.error().1.contains("encoding"), "{name}");
        }
    }
    // Thirty-two megabytes of nothing in a few kilobytes.
    let bomb = sim::Reply::new(200).body(media::DOCKER_MANIFEST, encoded("gzip", &vec![b' '; 32 << 20]));
    let reply = world.under(Fault::answer(bomb.header("content-encoding", "gzip")), TAG).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("too large"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_digest_is_not_passed_on_as_one() {
    let world = World::start("").await;
    for told in ["latest", "sha256:12", "md5:d41d8cd98f00b204e9800998ecf8427e", ""] {
        for target in [TAG, &world.by_digest()] {
            let answer = sim::Reply::new(200)
                .body(&world.image.top().media_type, world.manifest().clone())
                .header("docker-content-digest", told);
            let fault = world.registry.registry().inject(Fault::answer(answer));
            for method in [Method::GET, Method::HEAD] {
                let reply = world.regpass.send(request(method.clone(), target)).await;
                let digest = reply.header("docker-content-digest");
                assert_eq!((reply.status.as_u16(), digest), (200, Some(world.image.digest())), "{method} {told:?}");
            }
            fault.lift();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_digest_is_computed_and_for_a_head_the_manifest_is_fetched() {
    let world = World::start("").await;
    world.registry.change(|preset| preset.pull.digest_header = false);
    let reply = world.regpass.get(TAG).await;
    assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()));
    world.sim.ledger().expect(&["registry GET /v2/acme/app/manifests/1 anonymous 200"]);
    let reply = world.regpass.head(TAG).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()));
    assert_eq!(reply.header("content-length"), Some(&*world.manifest().len().to_string()));
    assert_eq!(reply.header("content-type"), Some(media::DOCKER_MANIFEST));
    world.sim.ledger().expect(&[
        "registry HEAD /v2/acme/app/manifests/1 anonymous 200",
        "registry GET /v2/acme/app/manifests/1 anonymous 200",
    ]);
    // By digest there is nothing to find out.
    let reply = world.regpass.head(&world.by_digest()).await;
    assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()));
    world.sim.ledger().expect(&[&format!("registry HEAD {} anonymous 200", world.by_digest())]);
    let blob = format!("/v2/acme/app/blobs/{}", world.image.blob_digests()[0]);
    for reply in [world.regpass.head(&blob).await, world.regpass.get(&blob).await] {
        assert_eq!(reply.header("docker-content-digest"), Some(world.image.blob_digests()[0]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_media_type_is_read_from_the_manifest() {
    let world = World::start("").await;
    let reply = world.under(Fault::without_header("content-type"), TAG).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(media::DOCKER_MANIFEST)));
    let bare = sim::Reply::new(200).body("x", r#"{"schemaVersion":2,"manifests":[]}"#).without("content-type");
    let reply = world.under(Fault::answer(bare), TAG).await;
    assert_eq!(reply.header("content-type"), Some(media::OCI_INDEX));
}

#[tokio::test(start_paused = true)]
async fn a_web_page_is_no_answer_whatever_its_status_says() {
    let world = World::start("").await;
    for target in [TAG, TAGS, "/v2/_catalog"] {
        let reply = world.under(Fault::html(200), target).await;
        assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{target}");
        assert!(reply.error().1.contains("web page") && reply.error().1.contains("reg.test"), "{reply:?}");
    }
    world.registry.registry().inject(Fault::html(200));
    assert_eq!(world.regpass.head(TAG).await.status, 502);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_breaks_off_is_no_answer() {
    let world = World::start("").await;
    for fault in [Fault::close_mid_body, Fault::reset_mid_body, Fault::hang_mid_body] {
        for after in [0, 10] {
            let reply = world.under(fault(after), TAG).await;
            assert_eq!((reply.verdict(), reply.whole), ("502 UNAVAILABLE".to_owned(), true));
            assert_eq!(reply.json()["errors"][0]["detail"]["step"], "transfer");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_not_what_its_digest_names_is_no_answer() {
    let world = World::start("").await;
    for target in [TAG.to_owned(), world.by_digest()] {
        let reply = world.under(Fault::truncated(100), &target).await;
        assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{target}");
        assert!(reply.error().1.contains("digest"), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn curl_gets_a_native_manifest() {
    let world = World::start("").await;
    let oci = Image::single("oci", Family::Oci);
    world.registry.publish("acme/app", "oci", &oci);
    for accept in [None, Some("*/*"), Some("*/*;q=0.5"), Some("")] {
        let mut request = request(Method::GET, "/v2/acme/app/manifests/oci");
        if let Some(accept) = accept {
            request = with(request, "accept", accept);
        }
        let reply = world.regpass.send(request).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("content-type")),
            (200, Some(media::OCI_MANIFEST)),
            "{accept:?}"
        );
        assert_eq!(sha256(&reply.body), oci.digest());
    }
    let named = with(request(Method::GET, "/v2/acme/app/manifests/oci"), "accept", media::DOCKER_MANIFEST);
    assert_eq!(
        world.regpass.send(named).await.verdict(),
        "404 MANIFEST_UNKNOWN",
        "what a client asks for by name stands"
    );
    let known = with(request(Method::GET, TAG), "if-none-match", &format!("\"{}\"", world.image.digest()));
    let reply = world.regpass.send(known).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (304, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()));
}

//! HEAD at registries that send no `Content-Length`, which containerd and oras need.

use http::Method;

use super::{SIZE, start, start_with};
use crate::blob_download::BlobDownload;
use crate::harness::{Reply as Answer, request, with_header};
use crate::sim::{self, AuthMode, Blob, Fault, Hop, HopTarget, Preset, Reply, Sim};

/// Asserts the reply to a HEAD: the status 200 and this `Content-Length`.
#[track_caller]
fn assert_size(reply: &Answer, size: Option<&str>) {
    assert_eq!((reply.status.as_u16(), reply.header("content-length"), reply.body.len()), (200, size, 0), "{reply:?}");
    assert_eq!((reply.header("content-range"), reply.header("transfer-encoding")), (None, None));
}

impl BlobDownload {
    /// Makes the registry omit the length in its replies to HEAD.
    fn omit_length(&self) {
        self.registry.api().inject(Fault::without_length().method(Method::HEAD));
    }
}

#[tokio::test(start_paused = true)]
async fn size_that_a_head_omits_is_requested_once_and_remembered() {
    let setup = start().await;
    setup.omit_length();
    assert_size(&setup.regpass.head(&setup.target).await, Some("200000"));
    assert_eq!(setup.requests(), ["registry 200 whole", "registry 206 bytes=0-0"]);
    for _ in 0..2 {
        let reply = setup.regpass.head(&setup.target).await;
        assert_size(&reply, Some("200000"));
        assert_eq!(reply.header("docker-content-digest"), Some(&*setup.blob.digest));
        assert_eq!(setup.requests(), ["registry 200 whole"]);
    }
    // The size of a blob that is gone is not enough for a 200.
    setup.registry.store().write("acme/app", |repository| repository.blobs.clear());
    assert_eq!(setup.regpass.head(&setup.target).await.status, 404);
    assert_eq!(setup.requests(), ["registry 404 whole"]);
}

#[tokio::test(start_paused = true)]
async fn size_is_not_requested_where_the_registry_sends_it() {
    let setup = start().await;
    assert_size(&setup.regpass.head(&setup.target).await, Some("200000"));
    assert_eq!(setup.requests(), ["registry 200 whole"]);
    setup.omit_length();
    let known =
        with_header(request(Method::HEAD, &setup.target), "if-none-match", &format!("\"{}\"", setup.blob.digest));
    assert_eq!(setup.regpass.send(known).await.status, 304);
    assert_eq!(setup.requests(), ["registry 304 whole"]);
}

#[tokio::test(start_paused = true)]
async fn every_answer_to_the_get_of_the_first_byte_is_used() {
    let empty = || Reply::new(416).header("content-range", "bytes */0");
    let whole = || Reply::new(200).slice("application/octet-stream", BlobDownload::content(SIZE).slice());
    for (case, answer, size) in [
        ("the first byte", None, Some("200000")),
        ("the whole blob", Some(whole()), Some("200000")),
        ("the whole blob without its length", Some(whole().chunked()), None),
        ("an empty blob", Some(empty()), Some("0")),
        ("an unknown size", Some(Reply::new(206).text("x").header("content-range", "bytes 0-0/*")), None),
        ("an error", Some(Reply::error(500, "UNKNOWN", "no")), None),
    ] {
        let setup = start().await;
        setup.omit_length();
        if let Some(answer) = answer {
            setup.registry.api().inject(Fault::answer(answer).method(Method::GET));
        }
        assert_size(&setup.regpass.head(&setup.target).await, size);
        assert_eq!(setup.requests().len(), 2, "{case}");
        assert_size(&setup.regpass.head(&setup.target).await, size);
        assert_eq!(
            setup.requests(),
            ["registry 200 whole"],
            "{case}: neither a size nor its absence is asked for again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn size_is_requested_over_the_redirect_of_the_get() {
    let mut preset = Preset::distribution(AuthMode::Token).blob_hops(&[Hop::new(307, HopTarget::BlobStore)]);
    preset.pull.head_served_directly = true;
    let setup = start_with(Sim::memory(), preset).await;
    assert_eq!(setup.regpass.get("/v2/acme/app/manifests/1").await.status, 200);
    setup.omit_length();
    setup.sim.ledger().take();
    assert_size(&setup.regpass.head(&setup.target).await, Some("200000"));
    assert_eq!(setup.requests(), ["registry 200 whole", "registry 307 bytes=0-0", "blobs 206 bytes=0-0"]);
    assert_size(&setup.regpass.head(&setup.target).await, Some("200000"));
    assert_eq!(setup.requests(), ["registry 200 whole"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn redirected_head_has_the_size_of_the_redirect_target() {
    let preset = Preset::distribution(AuthMode::Open).blob_hops(&[Hop::new(307, HopTarget::BlobStore)]);
    let setup = start_with(Sim::memory(), preset).await;
    // The target ignores the range, and says neither the range nor the length.
    setup
        .registry
        .blob_store()
        .inject(Fault::answer(Reply::new(200).slice("application/octet-stream", setup.blob.slice()).chunked()));
    assert_size(&setup.regpass.head(&setup.target).await, None);
    assert_eq!(setup.requests(), ["registry 307 whole", "blobs 200 bytes=0-0"], "nothing more is there to ask");
    setup.registry.blob_store().clear_faults();
    assert_size(&setup.regpass.head(&setup.target).await, Some("200000"));
    assert_eq!(setup.requests(), ["registry 307 whole", "blobs 206 bytes=0-0"]);
}

#[tokio::test(start_paused = true)]
async fn size_of_a_manifest_is_requested_once_for_each_digest() {
    let setup = start().await;
    let manifest = setup.regpass.get("/v2/acme/app/manifests/1").await;
    let (digest, size) = (manifest.header("docker-content-digest").unwrap(), manifest.body.len().to_string());
    setup.omit_length();
    setup.sim.ledger().take();
    for (target, requests) in [("1", 2), ("1", 1), (digest, 1)] {
        let reply = setup.regpass.head(&format!("/v2/acme/app/manifests/{target}")).await;
        assert_size(&reply, Some(&size));
        assert_eq!(reply.header("docker-content-digest"), Some(digest));
        assert_eq!(setup.requests().len(), requests, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn blob_read_by_another_algorithm_has_the_requested_digest() {
    let setup = start().await;
    let sha512 = sim::sha512(&Blob::synthetic_as(100, "").slice().to_bytes());
    let blob = Blob::synthetic_as(100, &sha512);
    setup.registry.publish_blob("acme/app", &blob);
    // docker-registry 2.8.2 (observed 2026-11-29): the digest of its own algorithm.
    setup.registry.api().inject(Fault::with_header("docker-content-digest", &setup.blob.digest));
    for method in [Method::GET, Method::HEAD] {
        let reply = setup.regpass.send(request(method, &format!("/v2/acme/app/blobs/{sha512}"))).await;
        assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (200, Some(&*sha512)));
        assert_eq!(reply.header("content-length"), Some("100"));
    }
}

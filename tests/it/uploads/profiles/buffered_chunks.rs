//! Chunks with a `Content-Range` for Artifact Registry, which accepts a blob in one body only: regpass buffers the chunks
//! until the PUT.

use http::Method;

use super::google::{PUT, REPOSITORY};
use super::{CHUNKED, PushSetup};
use crate::harness::{Regpass, request, with_header};
use crate::proxied_registry::assert_rejected;
use crate::sim::Preset;

const CANCEL: &str = "DELETE /artifacts-uploads/namespaces/project/repositories/images/uploads/upload-1 204";

/// A setup whose configuration begins with `top`, and that configuration.
async fn start(top: &str) -> (PushSetup, String) {
    let profile = "profile = \"google\"";
    let setup = PushSetup::start_with(top, Preset::google(), profile).await;
    let text = PushSetup::config_text(top, &setup.registry, profile);
    (setup, text)
}

/// An upload of which regpass has received `first ` as a ranged chunk.
async fn with_first_chunk() -> (PushSetup, String) {
    let (setup, location) = PushSetup::with_profile(Preset::google(), "google", REPOSITORY).await;
    let location = setup.patch_to("0-5", &location, "first ", &[("content-range", "0-5")]).await;
    (setup, location)
}

#[tokio::test(start_paused = true)]
async fn ranged_chunks_are_sent_as_one_put() {
    let (setup, location) = with_first_chunk().await;
    let location = setup.patch_to("0-12", &location, "second ", &[("content-range", "6-12"), CHUNKED]).await;
    let location = setup.patch_to("0-17", &location, "third", &[("content-range", "bytes 13-17/18")]).await;
    setup.expect_steps(&[]);
    setup.finish_in(REPOSITORY, &location, "", b"first second third", &[]).await;
    setup.expect_steps(&[&format!("{PUT} 18 201")]);
}

#[tokio::test(start_paused = true)]
async fn the_last_part_can_be_in_the_put() {
    for (headers, framing) in [(&[][..], "12"), (&[CHUNKED], "chunked 12")] {
        let (setup, location) = with_first_chunk().await;
        setup.finish_in(REPOSITORY, &location, "second", b"first second", headers).await;
        setup.expect_steps(&[&format!("{PUT} {framing} 201")]);
    }
}

/// regpass still has all chunks, so it can send them again.
#[tokio::test(start_paused = true)]
async fn a_put_whose_token_is_rejected_is_sent_again_with_a_new_token() {
    let (setup, location) = with_first_chunk().await;
    setup.registry.revoke_tokens();
    setup.finish_in(REPOSITORY, &location, "second", b"first second", &[]).await;
    setup.expect_steps(&[
        &format!("{PUT} 12 401"),
        "GET /v2/token?scope=repository:project/images/app:pull,push 200",
        &format!("{PUT} 12 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn the_status_of_buffered_chunks_needs_no_upstream_request() {
    let (setup, location) = with_first_chunk().await;
    let status = setup.regpass.get(&location).await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, Some("0-5")), "{status:?}");
    setup.expect_steps(&[]);
    let location = crate::uploads::location_of(&status);
    setup.finish_in(REPOSITORY, &location, "second", b"first second", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_drops_the_buffered_chunks_and_the_registrys_session() {
    let (setup, location) = with_first_chunk().await;
    let reply = setup.send(Method::DELETE, &location, "").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0), "{reply:?}");
    let entries = setup.sim.ledger().take();
    assert_eq!(entries.iter().map(super::describe_step).next_back().unwrap(), CANCEL);
    assert!(setup.registry.open_upload_sizes().is_empty());
    assert_rejected(&setup.regpass.get(&location).await, "404 BLOB_UPLOAD_UNKNOWN", &["start a new upload"]);
    setup.expect_steps(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_out_of_order_is_a_416_with_the_buffered_range() {
    let (setup, location) = with_first_chunk().await;
    for range in ["0-5", "7-12", "5-10"] {
        let reply = setup.send_with(Method::PATCH, &location, "second", &[("content-range", range)]).await;
        assert_rejected(&reply, "416 RANGE_INVALID", &["it must begin at byte 6"]);
        assert_eq!(reply.header("range"), Some("0-5"));
        let location = crate::uploads::location_of(&reply);
        assert_eq!(setup.regpass.get(&location).await.status, 204, "{range}");
    }
    setup.expect_steps(&[]);
    let location = setup.patch_with(&location, "second", &[("content-range", "6-11")]).await;
    setup.finish_in(REPOSITORY, &location, "", b"first second", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_chunk_whose_length_contradicts_its_range_is_a_400_and_not_buffered() {
    let (setup, location) = with_first_chunk().await;
    let reply = setup.send_with(Method::PATCH, &location, "second", &[("content-range", "6-12")]).await;
    assert_rejected(&reply, "400 SIZE_INVALID", &["the body is 6 bytes but Content-Range says 7"]);
    setup.finish_in(REPOSITORY, &location, "second", b"first second", &[]).await;
}

/// A client that sends a chunk again, because the response was lost, uses a location that is out of date.
#[tokio::test(start_paused = true)]
async fn an_outdated_location_is_a_404_and_changes_nothing() {
    let (setup, first) = with_first_chunk().await;
    let second = setup.patch_with(&first, "second", &[("content-range", "6-11")]).await;
    let again = setup.send_with(Method::PATCH, &first, "second", &[("content-range", "6-11")]).await;
    assert_rejected(&again, "404 BLOB_UPLOAD_UNKNOWN", &["start a new upload"]);
    setup.finish_in(REPOSITORY, &second, "", b"first second", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn chunks_above_upload_spool_are_a_413_that_names_the_key() {
    let (setup, _) = start("upload_spool = 0").await;
    let location = setup.start_upload(REPOSITORY).await;
    setup.sim.ledger().take();
    // The first 128 KiB are buffered in memory.
    let location = setup.patch_with(&location, vec![0; 100_000], &[("content-range", "0-99999")]).await;
    let range = [("content-range", "100000-199999")];
    let reply = setup.send_with(Method::PATCH, &location, vec![0; 100_000], &range).await;
    assert_rejected(&reply, "413 SIZE_INVALID", &["accepts no chunks", "raise `upload_spool`"]);
    // regpass drops the buffered chunks: the client starts a new upload, or sends the blob in one request.
    assert_rejected(&setup.regpass.get(&location).await, "404 BLOB_UPLOAD_UNKNOWN", &[]);
    setup.expect_steps(&[]);
    let blob = vec![0; 200_000];
    let location = setup.start_upload(REPOSITORY).await;
    setup.finish_in(REPOSITORY, &location, blob.clone(), &blob, &[]).await;
}

/// The client may retry when other uploads have ended.
#[tokio::test(start_paused = true)]
async fn a_chunk_for_which_other_uploads_leave_no_space_is_a_503() {
    let (setup, _) = start("upload_spool = 1000").await;
    let (chunk, range) = (vec![0; 131_072 + 1000], [("content-range", "0-132071")]);
    for _ in 0..16 {
        let location = setup.start_upload(REPOSITORY).await;
        setup.patch_with(&location, chunk.clone(), &range).await;
    }
    let location = setup.start_upload(REPOSITORY).await;
    let reply = setup.send_with(Method::PATCH, &location, chunk, &range).await;
    assert_rejected(&reply, "503 UNAVAILABLE", &["other bodies use all of the space"]);
    assert_eq!(reply.header("retry-after"), Some("60"));
}

#[tokio::test(start_paused = true)]
async fn chunks_above_128_kib_are_buffered_in_a_file() {
    let (setup, _) = start("upload_spool = \"1MiB\"").await;
    let blob = super::paged_bytes(900_000);
    let location = setup.start_upload(REPOSITORY).await;
    setup.sim.ledger().take();
    let location = setup.patch_with(&location, blob[..400_000].to_vec(), &[("content-range", "0-399999")]).await;
    let location = setup.patch_with(&location, blob[400_000..].to_vec(), &[("content-range", "400000-899999")]).await;
    setup.finish_in(REPOSITORY, &location, "", &blob, &[]).await;
    setup.expect_steps(&[&format!("{PUT} 900000 201")]);
}

#[tokio::test(start_paused = true)]
async fn another_replica_answers_404_for_buffered_chunks() {
    let (setup, text) = start("upload_key = \"a key of both replicas\"").await;
    let other = Regpass::start(&setup.sim, &text);
    let location = setup.start_upload(REPOSITORY).await;
    let location = setup.patch_with(&location, "first ", &[("content-range", "0-5")]).await;
    setup.sim.ledger().take();
    let patch = super::request_with_body(Method::PATCH, &location, "second");
    let patch = with_header(patch, "content-range", "6-11");
    let put = super::request_with_body(Method::PUT, &super::with_digest(&location, b"first second"), "second");
    for request in [request(Method::GET, &location), patch, put] {
        let reply = other.send(request).await;
        assert_rejected(&reply, "404 BLOB_UPLOAD_UNKNOWN", &["buffered by another regpass", "start a new upload"]);
    }
    setup.expect_steps(&[]);
    setup.finish_in(REPOSITORY, &location, "second", b"first second", &[]).await;
}

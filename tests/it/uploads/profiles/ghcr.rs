//! GHCR, whose upload sessions are at `/blobs/upload/`, and which accepts at most 4 MiB in a PATCH with `Content-Range`.

use http::Method;

use super::{CHUNKED, MIB, PushSetup, paged_bytes};
use crate::proxied_registry::assert_rejected;
use crate::sim::{Fault, Limit, Preset, Reply as Answer};

const REPOSITORY: &str = "alice/app";
const PATCH: &str = "PATCH /v2/alice/app/blobs/upload/upload-1";
const PUT: &str = "PUT /v2/alice/app/blobs/upload/upload-1?digest=…";

async fn with_upload() -> (PushSetup, String) {
    PushSetup::with_profile(Preset::ghcr(), "ghcr", REPOSITORY).await
}

#[tokio::test(start_paused = true)]
async fn the_client_gets_a_location_at_uploads_for_a_session_at_upload() {
    let setup = PushSetup::start(Preset::ghcr(), "profile = \"ghcr\"").await;
    let location = setup.start_upload(REPOSITORY).await;
    assert!(location.starts_with("/v2/alice/app/blobs/uploads/"), "{location}");
    let location = setup.patch_with(&location, "a blob", &[]).await;
    setup.finish_in(REPOSITORY, &location, "", b"a blob", &[]).await;
    setup.sim.ledger().expect(&[
        "registry GET /v2/ anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:alice/app:pull,push basic:alice 200",
        "registry POST /v2/alice/app/blobs/uploads/ bearer#1 202",
        "registry PATCH /v2/alice/app/blobs/upload/upload-1 bearer#1 202",
        &format!(
            "registry PUT /v2/alice/app/blobs/upload/upload-1?digest={} bearer#1 201",
            crate::sim::sha256(b"a blob")
        ),
    ]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_ranged_chunk_above_4_mib_is_sent_in_chunks_of_4_mib() {
    let (setup, location) = with_upload().await;
    let blob = paged_bytes(9 * MIB + 5);
    let first = 9 * MIB;
    let location =
        setup.patch_to("0-9437183", &location, blob[..first].to_vec(), &[("content-range", "0-9437183")]).await;
    // A shorter chunk is forwarded unchanged.
    let location =
        setup.patch_to("0-9437188", &location, blob[first..].to_vec(), &[("content-range", "9437184-9437188")]).await;
    setup.finish_in(REPOSITORY, &location, "", &blob, &[]).await;
    setup.expect_steps(&[
        &format!("{PATCH} 0-4194303 4194304 202"),
        &format!("{PATCH} 4194304-8388607 4194304 202"),
        &format!("{PATCH} 8388608-9437183 1048576 202"),
        &format!("{PATCH} 9437184-9437188 5 202"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_ranged_chunk_of_4_mib_is_forwarded_unchanged_with_and_without_content_length() {
    for (headers, framing) in [(&[][..], "4194304"), (&[CHUNKED], "chunked 4194304")] {
        let (setup, location) = with_upload().await;
        let headers = [headers, &[("content-range", "0-4194303")]].concat();
        setup.patch_to("0-4194303", &location, vec![0; 4 * MIB], &headers).await;
        setup.expect_steps(&[&format!("{PATCH} 0-4194303 {framing} 202")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_without_content_range_is_forwarded_unchanged_at_any_length() {
    for (headers, framing) in [(&[][..], "5242880"), (&[CHUNKED], "chunked 5242880")] {
        let (setup, location) = with_upload().await;
        let blob = vec![0; 5 * MIB];
        let location = setup.patch_to("0-5242879", &location, blob.clone(), headers).await;
        setup.finish_in(REPOSITORY, &location, "", &blob, &[]).await;
        setup.expect_steps(&[&format!("{PATCH} {framing} 202"), &format!("{PUT} 201")]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_for_one_of_several_chunks_is_the_response() {
    let (setup, location) = with_upload().await;
    let rejection = Answer::error(500, "UNKNOWN", "no storage");
    setup.registry.api().inject(Fault::answer_after_upload(rejection).when(|entry| {
        entry.headers.get("content-range").is_some_and(|range| range.to_str().unwrap().starts_with("4194304-"))
    }));
    let headers = [("content-range", "0-9437183")];
    let reply = setup.send_with(Method::PATCH, &location, vec![0; 9 * MIB], &headers).await;
    assert_eq!(reply.status, 500, "{reply:?}");
    setup.expect_steps(&[&format!("{PATCH} 0-4194303 4194304 202"), &format!("{PATCH} 4194304-8388607 4194304 500")]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_to_be_split_whose_length_contradicts_its_range_is_a_400() {
    let (setup, location) = with_upload().await;
    let reply = setup.send_with(Method::PATCH, &location, "short", &[("content-range", "0-9437183")]).await;
    assert_rejected(&reply, "400 SIZE_INVALID", &["the body is 5 bytes but Content-Range says 9437184"]);
    setup.expect_steps(&[]);
}

/// A client whose chunk the registry rejects as too large learns where to continue.
#[tokio::test(start_paused = true)]
async fn a_416_for_the_size_has_a_location_at_regpass_and_a_range() {
    let smaller = Answer::error(416, "SIZE_INVALID", "the request body is too large");
    let preset = Preset::ghcr().with_push_rules(|push| push.patches.ranged_limit = Some(Limit::new(8, smaller)));
    let (setup, location) = PushSetup::with_profile(preset, "ghcr", REPOSITORY).await;
    let reply = setup.send_with(Method::PATCH, &location, vec![0; 9], &[("content-range", "0-8")]).await;
    assert_rejected(&reply, "416 SIZE_INVALID", &["the request body is too large"]);
    assert!(reply.header("location").unwrap().starts_with("/v2/alice/app/blobs/uploads/"), "{reply:?}");
    assert_eq!(reply.header("range"), Some("0-0"));
    setup.expect_steps(&[&format!("{PATCH} 0-8 9 416")]);
}

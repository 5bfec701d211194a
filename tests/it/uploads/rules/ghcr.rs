//! GHCR: `/blobs/upload/`, and no more than 4 MiB in a PATCH that has a Content-Range.

use http::Method;

use super::{CHUNKED, MIB, Stage, telling};
use crate::sim::{Fault, Limit, Preset, Reply as Answer};
use crate::stage::assert_refused;

const REPOSITORY: &str = "alice/app";
const PATCH: &str = "PATCH /v2/alice/app/blobs/upload/upload-1";
const PUT: &str = "PUT /v2/alice/app/blobs/upload/upload-1?digest=…";

async fn begun() -> (Stage, String) {
    Stage::begun(Preset::ghcr(), "ghcr", REPOSITORY).await
}

#[tokio::test(start_paused = true)]
async fn its_location_in_the_singular_leads_through_regpass() {
    let stage = Stage::set(Preset::ghcr(), "profile = \"ghcr\"").await;
    let location = stage.begin(REPOSITORY).await;
    assert!(location.starts_with("/v2/alice/app/blobs/uploads/"), "{location}");
    let (location, _) = stage.patched(&location, "a blob", &[]).await;
    let reply = stage.put(&location, "", b"a blob", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"a blob");
    stage.sim.ledger().expect(&[
        "registry GET /v2/ anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:alice/app:pull,push basic:alice 200",
        "registry POST /v2/alice/app/blobs/uploads/ bearer#1 202",
        "registry PATCH /v2/alice/app/blobs/upload/upload-1 bearer#1 202",
        &format!(
            "registry PUT /v2/alice/app/blobs/upload/upload-1?digest={} bearer#1 201",
            crate::sim::sha256(b"a blob")
        ),
    ]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_ranged_chunk_that_is_too_long_goes_in_pieces_within_one_request() {
    let (stage, location) = begun().await;
    let blob = telling(9 * MIB + 5);
    let first = 9 * MIB;
    let (location, range) = stage.patched(&location, blob[..first].to_vec(), &[("content-range", "0-9437183")]).await;
    assert_eq!(range, "0-9437183");
    // One that is short enough stays as it is.
    let (location, range) =
        stage.patched(&location, blob[first..].to_vec(), &[("content-range", "9437184-9437188")]).await;
    assert_eq!(range, "0-9437188");
    let reply = stage.put(&location, "", &blob, &[]).await;
    stage.assert_stored(&reply, REPOSITORY, &blob);
    stage.expect_steps(&[
        &format!("{PATCH} 0-4194303 4194304 202"),
        &format!("{PATCH} 4194304-8388607 4194304 202"),
        &format!("{PATCH} 8388608-9437183 1048576 202"),
        &format!("{PATCH} 9437184-9437188 5 202"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_ranged_chunk_at_the_limit_goes_as_it_is_whether_its_length_is_told_or_not() {
    for (headers, framing) in [(&[][..], "4194304"), (&[CHUNKED], "chunked 4194304")] {
        let (stage, location) = begun().await;
        let headers = [headers, &[("content-range", "0-4194303")]].concat();
        let (_, range) = stage.patched(&location, vec![0; 4 * MIB], &headers).await;
        assert_eq!(range, "0-4194303");
        stage.expect_steps(&[&format!("{PATCH} 0-4194303 {framing} 202")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_without_a_range_goes_as_it_is_however_long() {
    for (headers, framing) in [(&[][..], "5242880"), (&[CHUNKED], "chunked 5242880")] {
        let (stage, location) = begun().await;
        let blob = vec![0; 5 * MIB];
        let (location, range) = stage.patched(&location, blob.clone(), headers).await;
        assert_eq!(range, "0-5242879");
        let reply = stage.put(&location, "", &blob, &[]).await;
        stage.assert_stored(&reply, REPOSITORY, &blob);
        stage.expect_steps(&[&format!("{PATCH} {framing} 202"), &format!("{PUT} 201")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_piece_that_is_refused_fails_the_clients_request() {
    let (stage, location) = begun().await;
    let refusal = Answer::error(500, "UNKNOWN", "no storage");
    stage.registry.registry().inject(Fault::answer_after_upload(refusal).when(|entry| {
        entry.headers.get("content-range").is_some_and(|range| range.to_str().unwrap().starts_with("4194304-"))
    }));
    let headers = [("content-range", "0-9437183")];
    let reply = stage.send_with(Method::PATCH, &location, vec![0; 9 * MIB], &headers).await;
    assert_eq!(reply.status, 500, "{reply:?}");
    stage.expect_steps(&[&format!("{PATCH} 0-4194303 4194304 202"), &format!("{PATCH} 4194304-8388607 4194304 500")]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_to_be_cut_that_is_not_what_its_range_says_reaches_nobody() {
    let (stage, location) = begun().await;
    let reply = stage.send_with(Method::PATCH, &location, "short", &[("content-range", "0-9437183")]).await;
    assert_refused(&reply, "400 SIZE_INVALID", &["it has 5 bytes, and its Content-Range tells of 9437184"]);
    stage.expect_steps(&[]);
}

/// A client that is refused for the size of a chunk is told where to go on.
#[tokio::test(start_paused = true)]
async fn a_416_about_the_size_points_back_to_regpass() {
    let smaller = Answer::error(416, "SIZE_INVALID", "the request body is too large");
    let preset = Preset::ghcr().pushes(|push| push.patches.most_ranged = Some(Limit::new(8, smaller)));
    let (stage, location) = Stage::begun(preset, "ghcr", REPOSITORY).await;
    let reply = stage.send_with(Method::PATCH, &location, vec![0; 9], &[("content-range", "0-8")]).await;
    assert_refused(&reply, "416 SIZE_INVALID", &["the request body is too large"]);
    assert!(reply.header("location").unwrap().starts_with("/v2/alice/app/blobs/uploads/"), "{reply:?}");
    assert_eq!(reply.header("range"), Some("0-0"));
    stage.expect_steps(&[&format!("{PATCH} 0-8 9 416")]);
}

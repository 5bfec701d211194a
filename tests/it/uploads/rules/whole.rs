//! Artifact Registry: a blob in one body, by a session outside `/v2/`.

use http::Method;

use super::{CHUNKED, Stage};
use crate::sim::{Limit, Preset, Reply as Answer, sha256};
use crate::stage::assert_refused;

pub const REPOSITORY: &str = "project/images/app";
pub const PATCH: &str = "PATCH /artifacts-uploads/namespaces/project/repositories/images/uploads/upload-1";
pub const PUT: &str = "PUT /artifacts-uploads/namespaces/project/repositories/images/uploads/upload-1?digest=…";

async fn begun() -> (Stage, String) {
    Stage::begun(Preset::google(), "google", REPOSITORY).await
}

#[tokio::test(start_paused = true)]
async fn a_session_outside_the_api_leads_through_regpass() {
    let stage = Stage::set(Preset::google(), "profile = \"google\"").await;
    let location = stage.begin(REPOSITORY).await;
    assert!(location.starts_with("/v2/project/images/app/blobs/uploads/"), "{location}");
    let reply = stage.put(&location, "a blob", b"a blob", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"a blob");
    let put = PUT.replace('…', &sha256(b"a blob"));
    stage.sim.ledger().expect(&[
        "registry GET /v2/ anonymous 401",
        "token GET /v2/token?scope=repository:project/images/app:pull,push basic:alice 200",
        "registry POST /v2/project/images/app/blobs/uploads/ bearer#1 202",
        &format!("registry {put} bearer#1 201"),
    ]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn one_chunk_without_a_range_goes_as_it_is() {
    for (headers, framing) in [(&[][..], "6"), (&[CHUNKED], "chunked 6")] {
        let (stage, location) = begun().await;
        let (location, range) = stage.patched(&location, "a blob", headers).await;
        assert_eq!(range, "0-5");
        let reply = stage.put(&location, "", b"a blob", &[]).await;
        stage.assert_stored(&reply, REPOSITORY, b"a blob");
        stage.expect_steps(&[&format!("{PATCH} {framing} 202"), &format!("{PUT} 201")]);
    }
}

#[tokio::test(start_paused = true)]
async fn where_every_patch_is_refused_it_goes_with_the_put() {
    for status in [400, 404, 405, 413, 416, 501] {
        let refusal = Answer::error(status, "UNSUPPORTED", "no PATCH");
        let preset = Preset::google().pushes(|push| push.patches.count = Some(Limit::new(0, refusal)));
        let (stage, location) = Stage::begun(preset, "google", REPOSITORY).await;
        let (location, range) = stage.patched(&location, "a blob", &[]).await;
        assert_eq!(range, "0-5");
        stage.expect_steps(&[&format!("{PATCH} 6 {status}")]);
        let reply = stage.put(&location, "", b"a blob", &[]).await;
        stage.assert_stored(&reply, REPOSITORY, b"a blob");
        stage.expect_steps(&[&format!("{PUT} 6 201")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_not_about_patches_is_the_answer() {
    let refusal = Answer::error(403, "DENIED", "the quota of this project is used up");
    let preset = Preset::google().pushes(|push| push.patches.count = Some(Limit::new(0, refusal)));
    let (stage, location) = Stage::begun(preset, "google", REPOSITORY).await;
    let reply = stage.send_with(Method::PATCH, &location, "a blob", &[]).await;
    assert_refused(&reply, "403 DENIED", &["the quota of this project is used up"]);
    stage.expect_steps(&[&format!("{PATCH} 6 403")]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_blob_by_post_goes_by_post_and_put() {
    let (stage, _) = begun().await;
    let target = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", sha256(b"a blob"));
    let reply = stage.send_with(Method::POST, &target, "a blob", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"a blob");
    let put = PUT.replace("upload-1", "upload-2");
    stage.expect_steps(&["POST /v2/project/images/app/blobs/uploads/ 202", &format!("{put} 6 201")]);
}

/// Once a chunk has gone there is no other: what comes behind it waits for the PUT.
#[tokio::test(start_paused = true)]
async fn chunks_behind_the_one_that_was_sent_go_with_the_put() {
    let (stage, location) = begun().await;
    let (location, _) = stage.patched(&location, "first ", &[]).await;
    let (location, range) = stage.patched(&location, "second ", &[("content-range", "6-12")]).await;
    assert_eq!(range, "0-12");
    let (location, range) = stage.patched(&location, "third", &[("content-range", "13-17")]).await;
    assert_eq!(range, "0-17");
    let reply = stage.put(&location, "", b"first second third", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second third");
    stage.expect_steps(&[&format!("{PATCH} 6 202"), &format!("{PUT} 12 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_second_chunk_without_a_range_goes_with_the_put() {
    let (stage, location) = begun().await;
    let (location, _) = stage.patched(&location, "first ", &[]).await;
    let (location, range) = stage.patched(&location, "second", &[]).await;
    assert_eq!(range, "0-11");
    let reply = stage.put(&location, "", b"first second", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second");
    stage.expect_steps(&[&format!("{PATCH} 6 202"), &format!("{PATCH} 6 400"), &format!("{PUT} 6 201")]);
}

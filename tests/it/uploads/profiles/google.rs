//! Artifact Registry, which accepts a blob in one body only, and whose upload sessions are outside `/v2/`.

use http::Method;

use super::{CHUNKED, PushSetup};
use crate::proxied_registry::assert_rejected;
use crate::sim::{Limit, Preset, Reply as Answer, sha256};

pub const REPOSITORY: &str = "project/images/app";
pub const PATCH: &str = "PATCH /artifacts-uploads/namespaces/project/repositories/images/uploads/upload-1";
pub const PUT: &str = "PUT /artifacts-uploads/namespaces/project/repositories/images/uploads/upload-1?digest=…";

async fn with_upload() -> (PushSetup, String) {
    PushSetup::with_profile(Preset::google(), "google", REPOSITORY).await
}

#[tokio::test(start_paused = true)]
async fn the_client_gets_a_location_below_v2_for_a_session_outside_v2() {
    let setup = PushSetup::start(Preset::google(), "profile = \"google\"").await;
    let location = setup.start_upload(REPOSITORY).await;
    assert!(location.starts_with("/v2/project/images/app/blobs/uploads/"), "{location}");
    setup.finish_in(REPOSITORY, &location, "a blob", b"a blob", &[]).await;
    let put = PUT.replace('…', &sha256(b"a blob"));
    setup.sim.ledger().expect(&[
        "registry GET /v2/ anonymous 401",
        "token GET /v2/token?scope=repository:project/images/app:pull,push basic:alice 200",
        "registry POST /v2/project/images/app/blobs/uploads/ bearer#1 202",
        &format!("registry {put} bearer#1 201"),
    ]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_single_chunk_without_content_range_is_forwarded_unchanged() {
    for (headers, framing) in [(&[][..], "6"), (&[CHUNKED], "chunked 6")] {
        let (setup, location) = with_upload().await;
        let location = setup.patch_to("0-5", &location, "a blob", headers).await;
        setup.finish_in(REPOSITORY, &location, "", b"a blob", &[]).await;
        setup.expect_steps(&[&format!("{PATCH} {framing} 202"), &format!("{PUT} 201")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_is_buffered_for_the_put_if_the_registry_rejects_every_patch() {
    for status in [400, 404, 405, 413, 416, 501] {
        let rejection = Answer::error(status, "UNSUPPORTED", "no PATCH");
        let preset =
            Preset::google().with_push_rules(|push| push.patches.per_session_limit = Some(Limit::new(0, rejection)));
        let (setup, location) = PushSetup::with_profile(preset, "google", REPOSITORY).await;
        let location = setup.patch_to("0-5", &location, "a blob", &[]).await;
        setup.expect_steps(&[&format!("{PATCH} 6 {status}")]);
        setup.finish_in(REPOSITORY, &location, "", b"a blob", &[]).await;
        setup.expect_steps(&[&format!("{PUT} 6 201")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_403_for_a_patch_is_the_response() {
    let rejection = Answer::error(403, "DENIED", "the quota of this project is used up");
    let preset =
        Preset::google().with_push_rules(|push| push.patches.per_session_limit = Some(Limit::new(0, rejection)));
    let (setup, location) = PushSetup::with_profile(preset, "google", REPOSITORY).await;
    let reply = setup.send_with(Method::PATCH, &location, "a blob", &[]).await;
    assert_rejected(&reply, "403 DENIED", &["the quota of this project is used up"]);
    setup.expect_steps(&[&format!("{PATCH} 6 403")]);
}

#[tokio::test(start_paused = true)]
async fn a_post_with_the_whole_blob_is_sent_as_post_and_put() {
    let (setup, _) = with_upload().await;
    let reply = setup.post_whole(REPOSITORY, b"a blob").await;
    setup.assert_stored(&reply, REPOSITORY, b"a blob");
    let put = PUT.replace("upload-1", "upload-2");
    setup.expect_steps(&["POST /v2/project/images/app/blobs/uploads/ 202", &format!("{put} 6 201")]);
}

/// Artifact Registry accepts one PATCH per upload. regpass buffers later chunks until the PUT.
#[tokio::test(start_paused = true)]
async fn ranged_chunks_after_the_first_are_sent_with_the_put() {
    let (setup, location) = with_upload().await;
    let location = setup.patch_with(&location, "first ", &[]).await;
    let location = setup.patch_to("0-12", &location, "second ", &[("content-range", "6-12")]).await;
    let location = setup.patch_to("0-17", &location, "third", &[("content-range", "13-17")]).await;
    setup.finish_in(REPOSITORY, &location, "", b"first second third", &[]).await;
    setup.expect_steps(&[&format!("{PATCH} 6 202"), &format!("{PUT} 12 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_second_chunk_without_content_range_is_sent_with_the_put() {
    let (setup, location) = with_upload().await;
    let location = setup.patch_with(&location, "first ", &[]).await;
    let location = setup.patch_to("0-11", &location, "second", &[]).await;
    setup.finish_in(REPOSITORY, &location, "", b"first second", &[]).await;
    setup.expect_steps(&[&format!("{PATCH} 6 202"), &format!("{PATCH} 6 400"), &format!("{PUT} 6 201")]);
}

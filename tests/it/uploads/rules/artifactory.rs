//! Artifactory: POST, PATCH, empty PUT, whatever the client sends.

use http::Method;

use super::{CHUNKED, Stage};
use crate::sim::{Preset, sha256};

const PATCH: &str = "PATCH /v2/team/app/blobs/uploads/upload-1?_state=…";
const PUT: &str = "PUT /v2/team/app/blobs/uploads/upload-1?_state=…&digest=…";

async fn begun() -> (Stage, String) {
    Stage::begun(Preset::artifactory(), "artifactory", "team/app").await
}

#[tokio::test(start_paused = true)]
async fn a_put_with_a_body_goes_by_patch_and_an_empty_put() {
    for (headers, framing) in [(&[][..], "6"), (&[CHUNKED], "chunked 6")] {
        let (stage, location) = begun().await;
        let reply = stage.put(&location, "a blob", b"a blob", headers).await;
        stage.assert_stored(&reply, "team/app", b"a blob");
        stage.expect_steps(&[&format!("{PATCH} {framing} 202"), &format!("{PUT} 201")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_with_the_last_part_goes_by_patch_and_an_empty_put() {
    let (stage, location) = begun().await;
    let (location, _) = stage.patched(&location, "a ", &[]).await;
    let reply = stage.put(&location, "blob", b"a blob", &[]).await;
    stage.assert_stored(&reply, "team/app", b"a blob");
    stage.expect_steps(&[&format!("{PATCH} 2 202"), &format!("{PATCH} 4 202"), &format!("{PUT} 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_blob_by_post_goes_by_post_patch_and_put() {
    let (stage, _) = begun().await;
    let target = format!("/v2/team/app/blobs/uploads/?digest={}", sha256(b"a blob"));
    let reply = stage.send_with(Method::POST, &target, "a blob", &[]).await;
    stage.assert_stored(&reply, "team/app", b"a blob");
    let [patch, put] = [PATCH, PUT].map(|step| step.replace("upload-1", "upload-2"));
    stage.expect_steps(&["POST /v2/team/app/blobs/uploads/ 202", &format!("{patch} 6 202"), &format!("{put} 201")]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_blob_needs_no_patch() {
    let (stage, location) = begun().await;
    let reply = stage.put(&location, "", b"", &[]).await;
    stage.assert_stored(&reply, "team/app", b"");
    stage.expect_steps(&[&format!("{PUT} 201")]);
}

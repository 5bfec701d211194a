//! Artifactory, which accepts an upload only as POST, PATCH and empty PUT.

use super::{CHUNKED, PushSetup};
use crate::sim::Preset;

const PATCH: &str = "PATCH /v2/team/app/blobs/uploads/upload-1?_state=…";
const PUT: &str = "PUT /v2/team/app/blobs/uploads/upload-1?_state=…&digest=…";

async fn with_upload() -> (PushSetup, String) {
    PushSetup::with_profile(Preset::artifactory(), "artifactory", "team/app").await
}

#[tokio::test(start_paused = true)]
async fn a_put_with_a_body_is_sent_as_patch_and_empty_put() {
    for (headers, framing) in [(&[][..], "6"), (&[CHUNKED], "chunked 6")] {
        let (setup, location) = with_upload().await;
        setup.finish_in("team/app", &location, "a blob", b"a blob", headers).await;
        setup.expect_steps(&[&format!("{PATCH} {framing} 202"), &format!("{PUT} 201")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_with_the_last_part_is_sent_as_patch_and_empty_put() {
    let (setup, location) = with_upload().await;
    let location = setup.patch_with(&location, "a ", &[]).await;
    setup.finish_in("team/app", &location, "blob", b"a blob", &[]).await;
    setup.expect_steps(&[&format!("{PATCH} 2 202"), &format!("{PATCH} 4 202"), &format!("{PUT} 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_post_with_the_whole_blob_is_sent_as_post_patch_and_put() {
    let (setup, _) = with_upload().await;
    let reply = setup.post_whole("team/app", b"a blob").await;
    setup.assert_stored(&reply, "team/app", b"a blob");
    let [patch, put] = [PATCH, PUT].map(|step| step.replace("upload-1", "upload-2"));
    setup.expect_steps(&["POST /v2/team/app/blobs/uploads/ 202", &format!("{patch} 6 202"), &format!("{put} 201")]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_blob_is_sent_without_patch() {
    let (setup, location) = with_upload().await;
    setup.finish_in("team/app", &location, "", b"", &[]).await;
    setup.expect_steps(&[&format!("{PUT} 201")]);
}

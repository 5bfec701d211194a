//! ACR, which accepts at most 20 MB in the last PUT, and only bodies with `Content-Length`.

use http::Method;

use super::{CHUNKED, MIB, PushSetup, paged_bytes};
use crate::sim::{ContentLength, Preset};

const PATCH: &str = "PATCH /v2/team/app/blobs/uploads/upload-1?_nouploadcache=false&_state=…";
const PUT: &str = "PUT /v2/team/app/blobs/uploads/upload-1?_nouploadcache=false&_state=…&digest=…";

/// ACR as Harbor's replication adapter reported it: it rejects a chunk without `Content-Length`.
async fn with_upload() -> (PushSetup, String) {
    let preset = Preset::acr().with_push_rules(|push| push.patches.content_length = ContentLength::Required);
    PushSetup::with_profile(preset, "acr", "team/app").await
}

#[tokio::test(start_paused = true)]
async fn a_put_above_20_mb_is_sent_as_patch_and_empty_put() {
    let (setup, location) = with_upload().await;
    let blob = vec![0; 20_000_001];
    setup.finish_in("team/app", &location, blob.clone(), &blob, &[]).await;
    setup.expect_steps(&[&format!("{PATCH} 20000001 202"), &format!("{PUT} 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_put_with_content_length_is_forwarded_unchanged() {
    let (setup, location) = with_upload().await;
    setup.finish_in("team/app", &location, "a blob", b"a blob", &[]).await;
    setup.expect_steps(&[&format!("{PUT} 6 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_without_content_length_is_sent_in_chunks_with_one() {
    let (setup, location) = with_upload().await;
    let blob = paged_bytes(4 * MIB + 10);
    let location = setup.patch_to("0-4194310", &location, blob[..4 * MIB + 7].to_vec(), &[CHUNKED]).await;
    let location = setup.patch_to("0-4194313", &location, blob[4 * MIB + 7..].to_vec(), &[CHUNKED]).await;
    setup.finish_in("team/app", &location, "", &blob, &[CHUNKED]).await;
    setup.expect_steps(&[
        &format!("{PATCH} 0-4194303 4194304 202"),
        &format!("{PATCH} 4194304-4194310 7 202"),
        &format!("{PATCH} 4194311-4194313 3 202"),
        &format!("{PUT} 201"),
    ]);
}

/// regpass holds each chunk in memory, so it can send this chunk again.
#[tokio::test(start_paused = true)]
async fn a_chunk_whose_token_is_rejected_is_sent_again_with_a_new_token() {
    let (setup, location) = with_upload().await;
    setup.registry.revoke_tokens();
    let location = setup.patch_to("0-5", &location, "a blob", &[CHUNKED]).await;
    setup.finish_in("team/app", &location, "", b"a blob", &[]).await;
    setup.expect_steps(&[
        &format!("{PATCH} 0-5 6 401"),
        "GET /oauth2/token?service=acr.test&scope=repository:team/app:pull,push 200",
        &format!("{PATCH} 0-5 6 202"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_put_without_content_length_is_sent_in_chunks_and_an_empty_put() {
    let (setup, location) = with_upload().await;
    let blob = vec![0; 4 * MIB + 1];
    setup.finish_in("team/app", &location, blob.clone(), &blob, &[CHUNKED]).await;
    setup.expect_steps(&[
        &format!("{PATCH} 0-4194303 4194304 202"),
        &format!("{PATCH} 4194304-4194304 1 202"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_with_content_length_is_forwarded_with_its_range_in_the_specifications_form() {
    let (setup, location) = with_upload().await;
    let location = setup.patch_to("0-5", &location, "first ", &[("content-range", "bytes 0-5/*")]).await;
    let location = setup.patch_to("0-11", &location, "second", &[("content-range", "bytes 6-11/12")]).await;
    let location = setup.patch_with(&location, " third", &[]).await;
    setup.finish_in("team/app", &location, "", b"first second third", &[]).await;
    setup.expect_steps(&[
        &format!("{PATCH} 0-5 6 202"),
        &format!("{PATCH} 6-11 6 202"),
        &format!("{PATCH} 6 202"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_post_with_the_whole_blob_is_sent_as_post_and_put() {
    let (setup, _) = with_upload().await;
    let reply = setup.post_whole("team/app", b"a blob").await;
    setup.assert_stored(&reply, "team/app", b"a blob");
    setup.expect_steps(&[
        "POST /v2/team/app/blobs/uploads/ 202",
        &format!("{} 6 201", PUT.replace("upload-1", "upload-2")),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_content_range_is_a_400_without_an_upstream_request() {
    let (setup, location) = with_upload().await;
    for range in ["0-", "bytes 5-1/9", "items 0-5", "0-5,6-8"] {
        let reply = setup.send_with(Method::PATCH, &location, "first ", &[("content-range", range)]).await;
        assert_eq!(reply.status_and_code(), "400 BLOB_UPLOAD_INVALID", "{range}");
    }
    setup.expect_steps(&[]);
}

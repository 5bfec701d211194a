//! ACR: no more than 20 MB in the closing PUT, and lengths that are known before anything is sent.

use http::Method;

use super::{CHUNKED, MIB, Stage, telling};
use crate::sim::{Length, Preset, sha256};

const PATCH: &str = "PATCH /v2/team/app/blobs/uploads/upload-1?_nouploadcache=false&_state=…";
const PUT: &str = "PUT /v2/team/app/blobs/uploads/upload-1?_nouploadcache=false&_state=…&digest=…";

/// The registry as Harbor's client met it: no chunk without Content-Length.
async fn begun() -> (Stage, String) {
    let preset = Preset::acr().pushes(|push| push.patches.length = Length::Always);
    Stage::begun(preset, "acr", "team/app").await
}

#[tokio::test(start_paused = true)]
async fn a_put_that_is_too_long_goes_by_patch_and_an_empty_put() {
    let (stage, location) = begun().await;
    let blob = vec![0; 20_000_001];
    let reply = stage.put(&location, blob.clone(), &blob, &[]).await;
    stage.assert_stored(&reply, "team/app", &blob);
    stage.expect_steps(&[&format!("{PATCH} 20000001 202"), &format!("{PUT} 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_put_of_known_length_goes_as_it_is() {
    let (stage, location) = begun().await;
    let reply = stage.put(&location, "a blob", b"a blob", &[]).await;
    stage.assert_stored(&reply, "team/app", b"a blob");
    stage.expect_steps(&[&format!("{PUT} 6 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_of_unknown_length_goes_in_pieces_that_tell_theirs() {
    let (stage, location) = begun().await;
    let blob = telling(4 * MIB + 10);
    let (location, range) = stage.patched(&location, blob[..4 * MIB + 7].to_vec(), &[CHUNKED]).await;
    assert_eq!(range, "0-4194310");
    let (location, range) = stage.patched(&location, blob[4 * MIB + 7..].to_vec(), &[CHUNKED]).await;
    assert_eq!(range, "0-4194313");
    let reply = stage.put(&location, "", &blob, &[CHUNKED]).await;
    stage.assert_stored(&reply, "team/app", &blob);
    stage.expect_steps(&[
        &format!("{PATCH} 0-4194303 4194304 202"),
        &format!("{PATCH} 4194304-4194310 7 202"),
        &format!("{PATCH} 4194311-4194313 3 202"),
        &format!("{PUT} 201"),
    ]);
}

/// A piece is held, so it is sent again alone.
#[tokio::test(start_paused = true)]
async fn a_piece_is_sent_again_with_a_new_token() {
    let (stage, location) = begun().await;
    stage.registry.revoke_tokens();
    let (location, range) = stage.patched(&location, "a blob", &[CHUNKED]).await;
    assert_eq!(range, "0-5");
    let reply = stage.put(&location, "", b"a blob", &[]).await;
    stage.assert_stored(&reply, "team/app", b"a blob");
    stage.expect_steps(&[
        &format!("{PATCH} 0-5 6 401"),
        "GET /oauth2/token?service=acr.test&scope=repository:team/app:pull,push 200",
        &format!("{PATCH} 0-5 6 202"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_put_of_unknown_length_goes_in_pieces_and_an_empty_put() {
    let (stage, location) = begun().await;
    let blob = vec![0; 4 * MIB + 1];
    let reply = stage.put(&location, blob.clone(), &blob, &[CHUNKED]).await;
    stage.assert_stored(&reply, "team/app", &blob);
    stage.expect_steps(&[
        &format!("{PATCH} 0-4194303 4194304 202"),
        &format!("{PATCH} 4194304-4194304 1 202"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_of_known_length_goes_as_it_is_with_its_range_in_the_one_form() {
    let (stage, location) = begun().await;
    let (location, range) = stage.patched(&location, "first ", &[("content-range", "bytes 0-5/*")]).await;
    assert_eq!(range, "0-5");
    let (location, range) = stage.patched(&location, "second", &[("content-range", "bytes 6-11/12")]).await;
    assert_eq!(range, "0-11");
    let (location, _) = stage.patched(&location, " third", &[]).await;
    let reply = stage.put(&location, "", b"first second third", &[]).await;
    stage.assert_stored(&reply, "team/app", b"first second third");
    stage.expect_steps(&[
        &format!("{PATCH} 0-5 6 202"),
        &format!("{PATCH} 6-11 6 202"),
        &format!("{PATCH} 6 202"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_blob_by_post_goes_by_post_and_put() {
    let (stage, _) = begun().await;
    let target = format!("/v2/team/app/blobs/uploads/?digest={}", sha256(b"a blob"));
    let reply = stage.send_with(Method::POST, &target, "a blob", &[]).await;
    stage.assert_stored(&reply, "team/app", b"a blob");
    stage.expect_steps(&[
        "POST /v2/team/app/blobs/uploads/ 202",
        &format!("{} 6 201", PUT.replace("upload-1", "upload-2")),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_range_that_is_none_is_a_400_that_reaches_nobody() {
    let (stage, location) = begun().await;
    for range in ["0-", "bytes 5-1/9", "items 0-5", "0-5,6-8"] {
        let reply = stage.send_with(Method::PATCH, &location, "first ", &[("content-range", range)]).await;
        assert_eq!(reply.verdict(), "400 BLOB_UPLOAD_INVALID", "{range}");
    }
    stage.expect_steps(&[]);
}

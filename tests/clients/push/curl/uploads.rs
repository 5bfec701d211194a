//! Blobs in one piece: POST and PUT, POST with the digest, POST and PATCH and PUT, chunked transfer encoding.

use super::session::{UploadSession, assert_finished};
use super::{OCTET_STREAM, assert_error, send, send_empty, with_digest};
use crate::image::digest_of;
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(blobs_are_uploaded_in_one_piece, crate::push::run_push_test);

async fn blobs_are_uploaded_in_one_piece(stack: &Stack) {
    let blob = &stack.image.platforms[0].layer_bytes;
    let small = b"a small blob";
    for (name, repository) in [
        ("library/pushed", "library/pushed"),
        ("again", "library/again"),
        ("docker.io/library/named", "library/named"),
        ("reg/team/app", "team/app"),
    ] {
        for bytes in [&blob[..], &small[..], b""] {
            UploadSession::open(stack, name, repository).await.finish(bytes, bytes).await;
        }
    }

    let (name, repository) = ("reg/team/flows", "team/flows");
    let (patched, streamed, put) = (salted(blob, "patched"), salted(blob, "streamed"), salted(blob, "put"));
    let mut session = UploadSession::open(stack, name, repository).await;
    session.patch(&[], &patched).await;
    session.finish(b"", &patched).await;

    let mut session = UploadSession::open(stack, name, repository).await;
    let reply = session.stream("PATCH", &session.url, &streamed).await;
    session.follow(&reply);
    session.finish(b"", &streamed).await;

    let session = UploadSession::open(stack, name, repository).await;
    let reply = session.stream("PUT", &session.finish_url(&digest_of(&put)), &put).await;
    session.assert_finished(&reply, &put).await;

    // Debian's registry answers a POST with the blob by opening a session, which regpass then finishes.
    let posted = salted(blob, "posted");
    let url = with_digest(&stack.regpass.url(&format!("/v2/{name}/blobs/uploads/")), &digest_of(&posted));
    let reply = send(stack, "POST", &url, &[OCTET_STREAM], &posted).await;
    assert_finished(stack, repository, &reply, &posted).await;

    let session = UploadSession::open(stack, name, repository).await;
    let reply = send(stack, "PUT", &session.finish_url(&digest_of(b"another blob")), &[OCTET_STREAM], blob).await;
    assert_error(&reply, 400, "DIGEST_INVALID", "the digest of another blob");

    let url = stack.regpass.url("/v2/docker.io/elsewhere/app/blobs/uploads/");
    assert_error(&send_empty(stack, "POST", &url).await, 403, "DENIED", "a repository that is not configured");
}

/// Another blob of about the same size.
fn salted(blob: &[u8], salt: &str) -> Vec<u8> {
    [salt.as_bytes(), blob].concat()
}

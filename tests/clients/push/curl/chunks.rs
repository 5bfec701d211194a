//! Blobs in several chunks: `Content-Range`, the status of an upload session, and its cancellation.

use super::session::UploadSession;
use super::{assert_error, send_empty};
use crate::curl::{curl, fetch};
use crate::stack::{Stack, in_both_auth_modes};

/// Not a power of two, so that chunks do not end where a buffer ends.
const CHUNK_SIZE: usize = 300_000;

in_both_auth_modes!(chunks_are_uploaded_reported_and_cancelled, crate::push::run_push_test);

async fn chunks_are_uploaded_reported_and_cancelled(stack: &Stack) {
    let blob = &stack.image.platforms[0].layer_bytes;
    for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
        let mut session = UploadSession::open(stack, name, repository).await;
        let mut sent = 0;
        for chunk in blob.chunks(CHUNK_SIZE) {
            let range = format!("Content-Range: {sent}-{}", sent + chunk.len() - 1);
            session.patch(&[&range], chunk).await;
            sent += chunk.len();
            assert_eq!(uploaded_range(stack, &session).await, format!("0-{}", sent - 1), "{name}");
        }
        session.finish(b"", blob).await;

        // The last chunk is in the PUT.
        let other: Vec<u8> = blob.iter().rev().copied().collect();
        let mut session = UploadSession::open(stack, name, repository).await;
        session.patch(&[&format!("Content-Range: 0-{}", CHUNK_SIZE - 1)], &other[..CHUNK_SIZE]).await;
        session.finish(&other[CHUNK_SIZE..], &other).await;

        let mut session = UploadSession::open(stack, name, repository).await;
        session.patch(&[], b"cancelled").await;
        let reply = send_empty(stack, "DELETE", &session.url).await;
        assert_eq!(reply.status, 204, "{name}: {}", reply.text());
        let reply = fetch(curl(stack.home()).arg(&session.url)).await;
        assert_error(&reply, 404, "BLOB_UPLOAD_UNKNOWN", name);
    }
}

/// The range of bytes that the registry has received.
async fn uploaded_range(stack: &Stack, session: &UploadSession<'_>) -> String {
    let reply = fetch(curl(stack.home()).arg(&session.url)).await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    reply.header("range").expect("a Range").to_owned()
}

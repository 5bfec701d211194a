//! Blobs in several pieces: `Content-Range`, the status of a session, and giving one up.

use super::session::Session;
use super::{bare, code};
use crate::curl::{curl, fetch};
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

/// No power of two: no buffer on the way ends where a chunk ends.
const CHUNK: usize = 300_000;

pushes_in_both_modes!(uploads_in_chunks);

async fn uploads_in_chunks(scene: &Scene) {
    let blob = &scene.image.platforms[0].layer_bytes;
    for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
        let mut session = Session::open(scene, name, repository).await;
        let mut sent = 0;
        for chunk in blob.chunks(CHUNK) {
            let range = format!("Content-Range: {sent}-{}", sent + chunk.len() - 1);
            session.patch(&[&range], chunk).await;
            sent += chunk.len();
            assert_eq!(status(scene, &session).await, format!("0-{}", sent - 1));
        }
        session.finish(b"", blob).await;

        // The last piece with the PUT.
        let other: Vec<u8> = blob.iter().rev().copied().collect();
        let mut session = Session::open(scene, name, repository).await;
        session.patch(&[&format!("Content-Range: 0-{}", CHUNK - 1)], &other[..CHUNK]).await;
        session.finish(&other[CHUNK..], &other).await;

        let mut session = Session::open(scene, name, repository).await;
        session.patch(&[], b"never mind").await;
        let reply = bare(scene, "DELETE", &session.url).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        let reply = fetch(curl(scene).arg(&session.url)).await;
        assert_eq!((reply.status, &*code(&reply)), (404, "BLOB_UPLOAD_UNKNOWN"));
    }
}

/// How much of the blob is there.
async fn status(scene: &Scene, session: &Session<'_>) -> String {
    let reply = fetch(curl(scene).arg(&session.url)).await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    reply.header("range").expect("a Range").to_owned()
}

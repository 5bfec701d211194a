//! Blobs in one piece: POST and PUT, POST with the digest, POST and PATCH and PUT, chunked transfer encoding.

use super::session::{Session, finished};
use super::{OCTETS, bare, code, send};
use crate::image::digest_of;
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

pushes_in_both_modes!(uploads_in_one_piece);

async fn uploads_in_one_piece(scene: &Scene) {
    let blob = &scene.image.platforms[0].layer_bytes;
    let small = b"a small blob";
    for (name, repository) in [
        ("library/pushed", "library/pushed"),
        ("again", "library/again"),
        ("docker.io/library/named", "library/named"),
        ("reg/team/app", "team/app"),
    ] {
        for bytes in [&blob[..], &small[..], b""] {
            Session::open(scene, name, repository).await.finish(bytes, bytes).await;
        }
    }

    let (name, repository) = ("reg/team/flows", "team/flows");
    let (patched, streamed, put) = (salted(blob, "patched"), salted(blob, "streamed"), salted(blob, "put"));
    let mut session = Session::open(scene, name, repository).await;
    session.patch(&[], &patched).await;
    session.finish(b"", &patched).await;

    let mut session = Session::open(scene, name, repository).await;
    let reply = session.stream("PATCH", &session.url, &streamed).await;
    session.accepted(&reply);
    session.finish(b"", &streamed).await;

    let session = Session::open(scene, name, repository).await;
    let reply = session.stream("PUT", &session.last(&digest_of(&put)), &put).await;
    session.finished(&reply, &put).await;

    // Debian's registry takes no blob with a POST and opens a session; regpass finishes that itself.
    let posted = salted(blob, "posted");
    let url = scene.regpass.url(&format!("/v2/{name}/blobs/uploads/?digest={}", digest_of(&posted)));
    let reply = send(scene, "POST", &url, &[OCTETS], &posted).await;
    finished(scene, repository, &reply, &posted).await;

    // The registry compares bytes and digest, and the client is told.
    let session = Session::open(scene, name, repository).await;
    let reply = send(scene, "PUT", &session.last(&digest_of(b"something else")), &[OCTETS], blob).await;
    assert_eq!((reply.status, &*code(&reply)), (400, "DIGEST_INVALID"));

    // A repository that the configuration keeps closed.
    let reply = bare(scene, "POST", &scene.regpass.url("/v2/docker.io/elsewhere/app/blobs/uploads/")).await;
    assert_eq!((reply.status, &*code(&reply)), (403, "DENIED"));
}

/// Another blob of about the same size.
fn salted(blob: &[u8], salt: &str) -> Vec<u8> {
    [salt.as_bytes(), blob].concat()
}

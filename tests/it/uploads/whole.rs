//! `POST …/uploads/?digest=…`: a whole blob in one request, whatever the registry makes of that.

use http::Method;

use super::client::Sending;
use super::{Stage, UPLOADS, and, bodies, carrying, location, plain, random};
use crate::harness::with;
use crate::sim::{SinglePost, sha256};

fn target(blob: &[u8]) -> String {
    and(UPLOADS, &format!("digest={}", sha256(blob)))
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_takes_it_gets_it_in_one_request() {
    for taken in [SinglePost::Taken, SinglePost::OctetStream] {
        let stage = Stage::set(plain().pushes(|push| push.single_post = taken), "").await;
        stage.warm().await;
        for blob in [&b"a blob"[..], b"", &random(300_000)] {
            let length = blob.len();
            let reply = stage.send(Method::POST, &target(blob), blob.to_vec()).await;
            stage.assert_created(&reply, blob);
            assert_eq!(bodies(&stage.sim), [format!("POST length {length}, {length} whole")]);
            let digest = sha256(blob);
            stage.expect(&[&format!("registry POST {UPLOADS}?digest={digest} bearer#1 201")]);
        }
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_registry_ignores_the_body_it_goes_by_put_in_the_same_request() {
    let stage = Stage::set(plain(), "").await;
    stage.warm().await;
    for (number, (length, chunked)) in
        [(6, false), (0, false), (6, true), (200_000, false), (700_001, true)].into_iter().enumerate()
    {
        let blob = random(length);
        let post = carrying(Method::POST, &target(&blob), blob.clone());
        let reply = if chunked {
            let sending = Sending::begin(&stage.regpass, post).await;
            blob.chunks(65_537).for_each(|piece| sending.piece(piece.to_vec()));
            sending.end().await
        } else {
            stage.regpass.send(post).await
        };
        stage.assert_created(&reply, &blob);
        let (digest, upload) = (sha256(&blob), number + 2);
        let came = bodies(&stage.sim);
        let framing = if chunked { "chunked".to_owned() } else { format!("length {length}") };
        assert_eq!(came[1], format!("PUT {framing}, {length} whole"));
        stage.expect(&[
            &format!("registry POST {UPLOADS}?digest={digest} bearer#1 202"),
            &format!("registry PUT {UPLOADS}upload-{upload}?_state=…&digest={digest} bearer#1 201"),
        ]);
    }
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn what_was_thrown_away_beyond_the_spool_the_client_sends_again() {
    let stage = Stage::set_with("upload_spool = \"1KiB\"", plain(), "").await;
    stage.warm().await;
    // The registry is slow to say that it wants none of it.
    stage
        .registry
        .registry()
        .inject(crate::sim::Fault::delay(std::time::Duration::from_secs(1)).method(Method::POST).times(1));
    let blob = random(1_000_000);
    let reply = stage.send(Method::POST, &target(&blob), blob.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{reply:?}");
    assert_eq!(reply.header("range"), Some("0-0"));
    let digest = sha256(&blob);
    stage.expect(&[&format!("registry POST {UPLOADS}?digest={digest} bearer#1 202")]);
    stage.finish(&location(&reply), blob.clone(), &blob).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_registry_is_the_clients_to_see() {
    let refusal = crate::sim::Reply::error(400, "UNSUPPORTED", "no single requests here");
    let stage = Stage::set(plain().pushes(|push| push.single_post = SinglePost::Refused(refusal)), "").await;
    stage.warm().await;
    let reply = stage.send(Method::POST, &target(b"x"), "x").await;
    assert_eq!(reply.verdict(), "400 UNSUPPORTED");
    assert_eq!(stage.sim.ledger().lines().len(), 1);
    let bad = stage.regpass.send(with(carrying(Method::POST, &and(UPLOADS, "digest=sha256:1"), "x"), "x-a", "1")).await;
    assert_eq!(bad.verdict(), "400 DIGEST_INVALID");
    assert_eq!(stage.sim.ledger().lines().len(), 1, "nothing reached the registry");
    stage.sim.finish();
}

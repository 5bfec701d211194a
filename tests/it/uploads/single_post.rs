//! `POST …/uploads/?digest=…`: a whole blob in one request, at registries that store it, ignore the body, or reject it.

use http::Method;

use super::clients::StreamedRequest;
use super::{
    PushSetup, UPLOADS, location_of, random_bytes, received_bodies, request_with_body, token_registry, with_digest,
    with_query,
};
use crate::sim::{MonolithicPost, sha256};

fn post_target(blob: &[u8]) -> String {
    with_digest(UPLOADS, blob)
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_stores_the_body_gets_one_request() {
    for support in [MonolithicPost::Accepted, MonolithicPost::OctetStreamOnly] {
        let setup = PushSetup::start(token_registry().with_push_rules(|push| push.monolithic_post = support), "").await;
        setup.warm().await;
        for blob in [&b"a blob"[..], b"", &random_bytes(300_000)] {
            let length = blob.len();
            let reply = setup.send(Method::POST, &post_target(blob), blob.to_vec()).await;
            setup.assert_created(&reply, blob);
            assert_eq!(received_bodies(&setup.sim), [format!("POST length {length}, {length} complete")]);
            let digest = sha256(blob);
            setup.expect(&[&format!("registry POST {UPLOADS}?digest={digest} bearer#1 201")]);
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_ignores_the_body_gets_a_put_within_the_clients_request() {
    let setup = PushSetup::start(token_registry(), "").await;
    setup.warm().await;
    for (number, (length, chunked)) in
        [(6, false), (0, false), (6, true), (200_000, false), (700_001, true)].into_iter().enumerate()
    {
        let blob = random_bytes(length);
        let post = request_with_body(Method::POST, &post_target(&blob), blob.clone());
        let reply = if chunked {
            StreamedRequest::send(&setup.regpass, post, &blob, 65_537).await
        } else {
            setup.regpass.send(post).await
        };
        setup.assert_created(&reply, &blob);
        let (digest, upload) = (sha256(&blob), number + 2);
        let received = received_bodies(&setup.sim);
        let framing = if chunked { "chunked".to_owned() } else { format!("length {length}") };
        assert_eq!(received[1], format!("PUT {framing}, {length} complete"));
        setup.expect(&[
            &format!("registry POST {UPLOADS}?digest={digest} bearer#1 202"),
            &format!("registry PUT {UPLOADS}upload-{upload}?_state=…&digest={digest} bearer#1 201"),
        ]);
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_blob_above_upload_spool_that_the_registry_ignores_gives_the_client_an_upload() {
    let setup = PushSetup::start_with("upload_spool = \"1KiB\"", token_registry(), "").await;
    setup.warm().await;
    // The registry answers only after a second, when regpass has sent the body.
    setup
        .registry
        .api()
        .inject(crate::sim::Fault::delay(std::time::Duration::from_secs(1)).method(Method::POST).times(1));
    let blob = random_bytes(1_000_000);
    let reply = setup.send(Method::POST, &post_target(&blob), blob.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{reply:?}");
    assert_eq!(reply.header("range"), Some("0-0"));
    let digest = sha256(&blob);
    setup.expect(&[&format!("registry POST {UPLOADS}?digest={digest} bearer#1 202")]);
    setup.finish_upload(&location_of(&reply), blob.clone(), &blob).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_registrys_rejection_reaches_the_client() {
    let rejection = crate::sim::Reply::error(400, "UNSUPPORTED", "no single requests here");
    let setup = PushSetup::start(
        token_registry().with_push_rules(|push| push.monolithic_post = MonolithicPost::Rejected(rejection)),
        "",
    )
    .await;
    setup.warm().await;
    let reply = setup.send(Method::POST, &post_target(b"x"), "x").await;
    assert_eq!(reply.status_and_code(), "400 UNSUPPORTED");
    assert_eq!(setup.sim.ledger().lines().len(), 1);
    let malformed = setup.send(Method::POST, &with_query(UPLOADS, "digest=sha256:1"), "x").await;
    assert_eq!(malformed.status_and_code(), "400 DIGEST_INVALID");
    assert_eq!(setup.sim.ledger().lines().len(), 1, "nothing reached the registry");
    setup.sim.finish();
}

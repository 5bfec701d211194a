//! Asking how far an upload is, and giving it up.

use http::Method;

use super::{Stage, carrying, location, plain};
use crate::sim::{Fault, Preset, Reply};

const BLOB: &[u8] = b"the first part, and the second";
const SESSION: &str = "/v2/team/app/blobs/uploads/upload-1?_state=…";

#[tokio::test(start_paused = true)]
async fn the_status_says_how_many_bytes_are_there() {
    for prefix in ["", "bytes="] {
        let stage = Stage::set(plain().pushes(|push| push.status_prefix = prefix), "").await;
        let target = stage.begin("team/app").await;
        stage.forget();
        let reply = stage.send(Method::GET, &target, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-0")), "before the first byte");
        assert_eq!(reply.header("content-length"), None, "RFC 9110, section 8.6");
        // The token of the upload would do; a status needs no more than reading, but is a step of an upload.
        stage.expect(&[&format!("registry GET {SESSION} bearer#1 204")]);

        let target = stage.patch(&location(&reply), &BLOB[..15], None).await;
        stage.forget();
        let reply = stage.send(Method::GET, &target, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-14")), "{prefix:?}");
        assert_eq!(reply.header("docker-upload-uuid"), Some("upload-1"));
        stage.expect(&[&format!("registry GET {SESSION} bearer#1 204")]);
        stage.finish(&location(&reply), &BLOB[15..], BLOB).await;
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_chunk_goes_on_where_the_status_says() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    stage.registry.registry().inject(Fault::cut_upload(11).method(Method::PATCH).times(1));
    let reply = stage.send(Method::PATCH, &target, BLOB).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    let reply = stage.send(Method::GET, &target, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-10")));
    let target = stage.patch(&location(&reply), &BLOB[11..], Some("11-29")).await;
    stage.finish(&target, "", BLOB).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_upload_can_be_given_up_with_the_scope_of_a_delete() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    stage.forget();
    let reply = stage.send(Method::DELETE, &target, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (204, None));
    stage.expect(&[
        "token GET /auth/token?service=Docker registry&scope=repository:team/app:delete basic:alice 200",
        &format!("registry DELETE {SESSION} bearer#2 204"),
    ]);
    assert_eq!(stage.registry.open_uploads(), [] as [u64; 0]);
    // Who goes on all the same hears it from the registry.
    for method in [Method::GET, Method::PATCH] {
        let reply = stage.send(method, &target, "").await;
        assert_eq!(reply.verdict(), "404 BLOB_UPLOAD_UNKNOWN");
    }
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn giving_up_belongs_to_pushing_for_allow() {
    for (allow, status) in [("\"push\"", 204), ("\"pull\", \"delete\"", 403)] {
        let sim = crate::sim::Sim::memory();
        let registry = sim.start(plain()).await;
        registry.user("alice", "alices password");
        let text = |allow: &str| {
            Stage::text("upload_key = \"a key of enough bytes\"", &registry, "")
                .replace("\"pull\", \"push\", \"delete\"", allow)
        };
        let full = crate::harness::Regpass::start(&sim, &text("\"push\""));
        let narrow = crate::harness::Regpass::start(&sim, &text(allow));
        let began = full.send(carrying(Method::POST, super::UPLOADS, "")).await;
        sim.ledger().take();
        let reply = narrow.send(carrying(Method::DELETE, &location(&began), "")).await;
        assert_eq!(reply.status, status, "{allow}: {reply:?}");
        if status == 403 {
            assert!(reply.error().1.contains("add \"push\" to 'allow'"), "{reply:?}");
            sim.ledger().expect(&[]);
        }
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_tells_nothing_new_leaves_the_place_as_it_was() {
    let stage = Stage::set(Preset::generic(), "").await;
    let first = stage.begin("team/app").await;
    let registry = stage.registry.registry();
    registry.inject(
        Fault::alter(|_, reply| reply.without("location").without("range")).method(Method::GET).path("uploads"),
    );
    let reply = stage.send(Method::GET, &first, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-0")));
    stage.finish(&location(&reply), BLOB, BLOB).await;
    let nowhere = Fault::answer(Reply::new(202)).method(Method::POST);
    registry.inject(nowhere);
    let reply = stage.send(Method::POST, super::UPLOADS, "").await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE", "an upload must begin somewhere");
    stage.sim.finish();
}

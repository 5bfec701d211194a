//! Asking how far an upload is, and giving it up.

use std::sync::Arc;

use http::Method;

use super::{Stage, UPLOADS, carrying, location, plain};
use crate::harness::{Regpass, request, with};
use crate::log::Log;
use crate::sim::{Call, Fault, Handler, Mode, Preset, Reply, Role, Sim, sha256};

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
        let sim = Sim::memory();
        let registry = sim.start(plain()).await;
        registry.user("alice", "alices password");
        let text = |allow: &str| {
            Stage::text("upload_key = \"a key of enough bytes\"", &registry, "")
                .replace("\"pull\", \"push\", \"delete\"", allow)
        };
        let full = Regpass::start(&sim, &text("\"push\""));
        let narrow = Regpass::start(&sim, &text(allow));
        let began = full.send(carrying(Method::POST, UPLOADS, "")).await;
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
    let reply = stage.send(Method::POST, UPLOADS, "").await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE", "an upload must begin somewhere");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn bytes_that_nobody_has_are_not_told_of() {
    // docker-registry 2.8 takes a chunk that begins anywhere as the next one.
    let careless: Handler = Arc::new(|call: Call| {
        Box::pin(async move {
            match call.entry.method.as_str() {
                "GET" => Reply::new(200),
                "POST" => Reply::new(202).header("location", "/v2/team/app/blobs/uploads/1"),
                _ => Reply::new(202).header("location", "/v2/team/app/blobs/uploads/1").header("range", "0-4"),
            }
        })
    });
    let sim = Sim::memory();
    let registry = sim.serve("careless.test", Role::Other("careless"), careless).await;
    let (name, url) = (registry.authority(), registry.origin());
    let table = format!("[registry.\"{name}\"]\nurl = \"{url}\"\nallow = [\"push\"]");
    let regpass = Regpass::start(&sim, &format!("default_registry = \"{name}\"\n{table}"));
    let begun = regpass.send(request(Method::POST, UPLOADS)).await;
    let patch = with(carrying(Method::PATCH, &location(&begun), "bytes"), "content-range", "100-104");
    let reply = regpass.send(patch).await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (202, Some("0-4")), "{reply:?}");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_digest_behind_an_ampersand_is_found() {
    let stage = Stage::set(Preset::distribution(Mode::Token), "").await;
    let location = stage.begin("team/app").await;
    let target = format!("{location}&digest={}", sha256(b"a blob"));
    let reply = stage.send(Method::PUT, &target, "a blob").await;
    stage.assert_created(&reply, b"a blob");
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_a_finished_one() {
    let log = Log::listen();
    let stage = Stage::set(Preset::distribution(Mode::Token), "").await;
    let location = stage.begin("team/app").await;
    stage.finish(&location, "", b"").await;
    let blob = stage.regpass.get(&format!("/v2/team/app/blobs/{}", sha256(b""))).await;
    assert_eq!((blob.status.as_u16(), blob.body.len()), (200, 0), "{blob:?}");
    assert_eq!((log.told("request").len(), log.lines("unfinished").len()), (3, 0), "{}", log.text());
}

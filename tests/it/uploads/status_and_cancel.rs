//! Requests for the status of an upload, and for its cancellation.

use std::sync::Arc;

use http::Method;

use super::{PushSetup, UPLOADS, location_of, request_with_body, token_registry};
use crate::harness::{Regpass, request, with_header};
use crate::log::Log;
use crate::sim::{AuthMode, Call, Fault, Handler, Preset, Reply, Role, Sim, sha256};

const BLOB: &[u8] = b"the first part, and the second";
const SESSION: &str = "/v2/team/app/blobs/uploads/upload-1?_state=…";

#[tokio::test(start_paused = true)]
async fn the_status_of_an_upload_is_the_range_the_registry_has() {
    for prefix in ["", "bytes="] {
        let setup =
            PushSetup::start(token_registry().with_push_rules(|push| push.status_range_prefix = prefix), "").await;
        let target = setup.start_upload("team/app").await;
        setup.clear_ledger();
        let reply = setup.send(Method::GET, &target, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-0")), "before the first byte");
        assert_eq!(reply.header("content-length"), None, "RFC 9110, section 8.6");
        // A status needs no more than `pull`, but regpass uses the upload's token.
        setup.expect(&[&format!("registry GET {SESSION} bearer#1 204")]);

        let target = setup.patch(&location_of(&reply), &BLOB[..15], None).await;
        setup.clear_ledger();
        let reply = setup.send(Method::GET, &target, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-14")), "{prefix:?}");
        assert_eq!(reply.header("docker-upload-uuid"), Some("upload-1"));
        setup.expect(&[&format!("registry GET {SESSION} bearer#1 204")]);
        setup.finish_upload(&location_of(&reply), &BLOB[15..], BLOB).await;
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_chunk_continues_where_the_status_says() {
    let (setup, target) = PushSetup::with_upload().await;
    setup.registry.api().inject(Fault::cut_upload(11).method(Method::PATCH).times(1));
    let reply = setup.send(Method::PATCH, &target, BLOB).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    let reply = setup.send(Method::GET, &target, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-10")));
    let target = setup.patch(&location_of(&reply), &BLOB[11..], Some("11-29")).await;
    setup.finish_upload(&target, "", BLOB).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_cancelled_with_a_token_for_delete() {
    let (setup, target) = PushSetup::with_upload().await;
    setup.clear_ledger();
    let reply = setup.send(Method::DELETE, &target, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (204, None));
    setup.expect(&[
        "token GET /auth/token?service=Docker registry&scope=repository:team/app:delete basic:alice 200",
        &format!("registry DELETE {SESSION} bearer#2 204"),
    ]);
    assert_eq!(setup.registry.open_upload_sizes(), [] as [u64; 0]);
    // Later requests for the upload get the registry's 404.
    for method in [Method::GET, Method::PATCH] {
        let reply = setup.send(method, &target, "").await;
        assert_eq!(reply.status_and_code(), "404 BLOB_UPLOAD_UNKNOWN");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn cancelling_an_upload_needs_push_in_allow() {
    for (allow, status) in [("\"push\"", 204), ("\"pull\", \"delete\"", 403)] {
        let sim = Sim::memory();
        let registry = sim.start(token_registry()).await;
        registry.add_user("alice", "alices password");
        let text = |allow: &str| {
            PushSetup::config_text("upload_key = \"a key of enough bytes\"", &registry, "")
                .replace("\"pull\", \"push\", \"delete\"", allow)
        };
        let full = Regpass::start(&sim, &text("\"push\""));
        let narrow = Regpass::start(&sim, &text(allow));
        let started = full.send(request_with_body(Method::POST, UPLOADS, "")).await;
        sim.ledger().take();
        let reply = narrow.send(request_with_body(Method::DELETE, &location_of(&started), "")).await;
        assert_eq!(reply.status, status, "{allow}: {reply:?}");
        if status == 403 {
            assert!(reply.error().1.contains("add \"push\" to `allow`"), "{reply:?}");
            sim.ledger().expect(&[]);
        }
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_without_location_and_range_keeps_the_known_ones_but_a_start_without_location_is_a_502() {
    let setup = PushSetup::start(Preset::generic(), "").await;
    let first = setup.start_upload("team/app").await;
    let registry = setup.registry.api();
    registry.inject(
        Fault::alter(|_, reply| reply.without_header("location").without_header("range"))
            .method(Method::GET)
            .path("uploads"),
    );
    let reply = setup.send(Method::GET, &first, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-0")));
    setup.finish_upload(&location_of(&reply), BLOB, BLOB).await;
    let without_location = Fault::answer(Reply::new(202)).method(Method::POST);
    registry.inject(without_location);
    let reply = setup.send(Method::POST, UPLOADS, "").await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "an upload needs a Location");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_range_after_a_chunk_is_the_registrys_and_not_the_clients() {
    // The registry stores less than it received.
    let unchecking: Handler = Arc::new(|call: Call| {
        Box::pin(async move {
            match call.entry.method.as_str() {
                "GET" => Reply::new(200),
                "POST" => Reply::new(202).header("location", "/v2/team/app/blobs/uploads/1"),
                _ => Reply::new(202).header("location", "/v2/team/app/blobs/uploads/1").header("range", "0-4"),
            }
        })
    });
    let sim = Sim::memory();
    let registry = sim.serve("unchecking.test", Role::Other("unchecking"), unchecking).await;
    let (name, url) = (registry.authority(), registry.origin());
    let table = format!("[registry.\"{name}\"]\nurl = \"{url}\"\nallow = [\"push\"]");
    let regpass = Regpass::start(&sim, &format!("default_registry = \"{name}\"\n{table}"));
    let started = regpass.send(request(Method::POST, UPLOADS)).await;
    let patch =
        with_header(request_with_body(Method::PATCH, &location_of(&started), "more bytes"), "content-range", "0-9");
    let reply = regpass.send(patch).await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (202, Some("0-9")), "{reply:?}");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_digest_appended_with_an_ampersand_is_recognized() {
    let setup = PushSetup::start(Preset::distribution(AuthMode::Token), "").await;
    let location = setup.start_upload("team/app").await;
    let target = format!("{location}&digest={}", sha256(b"a blob"));
    let reply = setup.send(Method::PUT, &target, "a blob").await;
    setup.assert_created(&reply, b"a blob");
}

#[tokio::test(start_paused = true)]
async fn a_response_with_an_empty_body_is_logged_as_complete() {
    let log = Log::capture();
    let setup = PushSetup::start(Preset::distribution(AuthMode::Token), "").await;
    let location = setup.start_upload("team/app").await;
    setup.finish_upload(&location, "", b"").await;
    let blob = setup.regpass.get(&format!("/v2/team/app/blobs/{}", sha256(b""))).await;
    assert_eq!((blob.status.as_u16(), blob.body.len()), (200, 0), "{blob:?}");
    assert_eq!((log.events("request").len(), log.lines("unfinished").len()), (3, 0), "{}", log.text());
}

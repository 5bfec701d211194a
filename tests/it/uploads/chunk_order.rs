//! Chunks that do not begin where the upload ends, at registries that would append them all the same.

use http::Method;

use super::{PushSetup, location_of, ranged_patch, request_with_body, token_registry, with_digest};
use crate::harness::with_header;
use crate::sim::{Fault, Reply};

const BLOB: &[u8] = b"the first part, and the second";

/// docker-registry 2.8.2, which ignores `Content-Range`, and the location of an upload to `team/app`.
async fn start() -> (PushSetup, String) {
    let setup = PushSetup::start(token_registry().version_2(), "").await;
    let target = setup.start_upload("team/app").await;
    (setup, target)
}

#[tokio::test(start_paused = true)]
async fn chunk_that_repeats_acknowledged_bytes_is_a_416_without_a_request() {
    let (setup, first) = start().await;
    let second = setup.patch(&first, &BLOB[..10], Some("0-9")).await;
    setup.clear_ledger();
    for (bytes, range) in [(&BLOB[..10], "0-9"), (&BLOB[5..15], "5-14"), (&BLOB[9..10], "9-9")] {
        let reply = setup.regpass.send(ranged_patch(&second, bytes, range)).await;
        assert_eq!((&*reply.status_and_code(), reply.header("range")), ("416 RANGE_INVALID", Some("0-9")), "{range}");
        assert!(reply.error().1.contains("must begin at byte 10"), "{reply:?}");
        setup.expect(&[]);
    }
    let reply = setup.regpass.send(ranged_patch(&second, &BLOB[..10], "0-9")).await;
    let third = setup.patch(&location_of(&reply), &BLOB[10..], Some("10-29")).await;
    setup.finish_upload(&third, "", BLOB).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn chunk_beyond_the_end_is_a_416_after_the_registry_was_asked_for_the_end() {
    let (setup, first) = start().await;
    let second = setup.patch(&first, &BLOB[..10], Some("0-9")).await;
    setup.clear_ledger();
    let reply = setup.regpass.send(ranged_patch(&second, "0123456789", "500-509")).await;
    assert_eq!((&*reply.status_and_code(), reply.header("range")), ("416 RANGE_INVALID", Some("0-9")));
    setup.expect(&["registry GET /v2/team/app/blobs/uploads/upload-1?_state=… bearer#1 204"]);
    assert_eq!(setup.registry.open_upload_sizes(), [10]);
    let third = setup.patch(&location_of(&reply), &BLOB[10..], Some("10-29")).await;
    setup.expect(&["registry PATCH /v2/team/app/blobs/uploads/upload-1?_state=… bearer#1 202"]);
    setup.finish_upload(&third, "", BLOB).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn chunk_that_continues_an_interrupted_one_is_accepted_at_any_of_its_locations() {
    // The registry has no state in its location, so the client may use the one from before the interruption.
    let preset = token_registry().version_2().upload_locations(crate::sim::Locations::Singular);
    let setup = PushSetup::start(preset, "").await;
    let target = setup.start_upload("team/app").await;
    setup.registry.api().inject(Fault::cut_upload(11).method(Method::PATCH).times(1));
    assert_eq!(setup.regpass.send(ranged_patch(&target, BLOB, "0-29")).await.status, 502);
    setup.clear_ledger();
    let next = setup.patch(&target, &BLOB[11..], Some("11-29")).await;
    let upload = "/v2/team/app/blobs/upload/upload-1 bearer#1";
    setup.expect(&[&format!("registry GET {upload} 204"), &format!("registry PATCH {upload} 202")]);
    setup.finish_upload(&next, "", BLOB).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn last_chunk_by_put_must_continue_the_upload_too() {
    let (setup, first) = start().await;
    let second = setup.patch(&first, &BLOB[..10], Some("0-9")).await;
    setup.clear_ledger();
    let put = |bytes: &'static [u8], range| {
        with_header(request_with_body(Method::PUT, &with_digest(&second, BLOB), bytes), "content-range", range)
    };
    let reply = setup.regpass.send(put(&BLOB[..10], "0-9")).await;
    assert_eq!((&*reply.status_and_code(), reply.header("range")), ("416 RANGE_INVALID", Some("0-9")));
    setup.expect(&[]);
    let reply = setup.regpass.send(put(&BLOB[10..], "10-29")).await;
    setup.assert_created(&reply, BLOB);

    // Without a body the range describes nothing.
    let second = setup.patch(&setup.start_upload("team/app").await, BLOB, Some("0-29")).await;
    let put = with_header(request_with_body(Method::PUT, &with_digest(&second, BLOB), ""), "content-range", "0-29");
    setup.assert_created(&setup.regpass.send(put).await, BLOB);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn registry_without_upload_status_rejects_chunks_by_the_session_alone() {
    let (setup, first) = start().await;
    let unsupported = Fault::answer(Reply::unsupported()).method(Method::GET).path("uploads");
    setup.registry.api().inject(unsupported);
    setup.clear_ledger();
    let reply = setup.regpass.send(ranged_patch(&first, BLOB, "500-529")).await;
    assert_eq!((&*reply.status_and_code(), reply.header("range")), ("416 RANGE_INVALID", Some("0-0")));
    setup.expect(&["registry GET /v2/team/app/blobs/uploads/upload-1?_state=… bearer#1 405"]);

    // An upload that the registry does not know is a 404.
    setup.registry.api().clear_faults();
    assert_eq!(setup.send(Method::DELETE, &first, "").await.status, 204);
    let reply = setup.regpass.send(ranged_patch(&first, BLOB, "500-529")).await;
    assert_eq!(reply.status_and_code(), "404 BLOB_UPLOAD_UNKNOWN");
    setup.sim.finish();
}

//! Bodies whose length is stated wrongly, twice or not at all.

use http::Method;

use super::clients::{RawConnection, StreamedRequest};
use super::{
    PushSetup, UPLOADS, location_of, ranged_patch, received_bodies, request_with_body, token_registry, with_digest,
    with_query,
};
use crate::sim::{Fault, sha256};

const BLOB: &[u8] = b"the first part, and the second";

#[tokio::test(start_paused = true)]
async fn the_registry_rejects_a_range_that_contradicts_the_body() {
    for (range, chunked) in [("0-9", false), ("0-9", true), ("0-99", false), ("0-99", true)] {
        let (setup, target) = PushSetup::with_upload().await;
        let patch = ranged_patch(&target, BLOB, range);
        let reply = if chunked {
            StreamedRequest::send(&setup.regpass, patch, BLOB, BLOB.len()).await
        } else {
            setup.regpass.send(patch).await
        };
        assert_eq!(reply.status_and_code(), "400 SIZE_INVALID", "{range}, chunked: {chunked}");
        setup.sim.finish();
    }
}

/// Writes these header lines and this body, and returns the status of the response, if there is one.
async fn send_raw(setup: &PushSetup, head: &[&str], body: &[u8]) -> Option<u16> {
    let mut connection = RawConnection::open_with_head(&setup.regpass, head).await;
    connection.write(body).await;
    connection.shutdown_and_read().await.map(|reply| reply.status.as_u16())
}

#[tokio::test(start_paused = true)]
async fn contradicting_lengths_are_a_400_and_chunked_overrides_content_length() {
    let (setup, target) = PushSetup::with_upload().await;
    let line = format!("PATCH {target} HTTP/1.1");
    setup.clear_ledger();
    for lengths in [&["Content-Length: 5", "Content-Length: 6"][..], &["Content-Length: +5"], &["Content-Length: five"]]
    {
        let head: Vec<_> = [&[&*line], lengths].concat();
        assert_eq!(send_raw(&setup, &head, b"abcdefgh").await, Some(400), "{lengths:?}");
        setup.expect(&[]);
    }
    // `Transfer-Encoding` overrides `Content-Length` (RFC 9112, section 6.3), and the registry gets chunks only.
    let head = [&*line, "Content-Length: 5", "Transfer-Encoding: chunked"];
    let mut connection = RawConnection::open_with_head(&setup.regpass, &head).await;
    connection.write(b"3\r\nabc\r\n0\r\n\r\n").await;
    assert_eq!(connection.read_response().await.status, 202);
    assert_eq!(received_bodies(&setup.sim), ["PATCH chunked, 3 complete"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_malformed_chunked_body_creates_no_blob() {
    for body in [&b"5\r\nabc"[..], b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n", b"3\r\nabcdef\r\n0\r\n\r\n"] {
        let (setup, target) = PushSetup::with_upload().await;
        let line = format!("PUT {} HTTP/1.1", with_digest(&target, b"abc"));
        let status = send_raw(&setup, &[&line, "Transfer-Encoding: chunked"], body).await;
        assert!(status.is_none_or(|status| status == 400), "{status:?} for {:?}", String::from_utf8_lossy(body));
        setup.assert_no_blob();
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_a_request_that_has_none_is_not_forwarded() {
    let setup = PushSetup::start(token_registry(), "").await;
    setup.warm().await;
    let started = setup.send(Method::POST, UPLOADS, "a body without a meaning").await;
    let target = location_of(&started);
    assert_eq!(setup.send(Method::GET, &target, "another one").await.status, 204);
    assert_eq!(setup.send(Method::DELETE, &target, "another one").await.status, 204);
    let received = received_bodies(&setup.sim);
    assert!(received.iter().all(|received| received.ends_with(", 0 complete")), "{received:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_disconnects_before_the_body_is_sent_creates_no_blob() {
    let setup = PushSetup::start(token_registry(), "").await;
    setup.registry.token_service().inject(Fault::delay(std::time::Duration::from_secs(3)));
    let target = with_digest(UPLOADS, b"");
    let streamed = StreamedRequest::start(&setup.regpass, request_with_body(Method::POST, &target, "")).await;
    setup.sim.ledger().wait_for(2).await;
    streamed.disconnect().await;
    let lines = setup.sim.ledger().lines();
    assert!(lines.iter().all(|line| !line.ends_with(" 201")), "{lines:?}");
    setup.assert_no_blob();
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_range_beyond_the_length_of_any_blob_is_a_400() {
    for profile in ["generic", "ghcr", "google"] {
        for range in ["0-18446744073709551615", "18446744073709551615-18446744073709551615"] {
            let setup = PushSetup::start(token_registry(), &format!("profile = \"{profile}\"")).await;
            let target = setup.start_upload("team/app").await;
            setup.clear_ledger();
            let patch = ranged_patch(&target, BLOB, range);
            let case = format!("{profile} {range}");
            setup.assert_rejected_by_regpass(patch, "400 BLOB_UPLOAD_INVALID", &case).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_impossible_range_from_the_registry_is_ignored() {
    let setup = PushSetup::start(token_registry(), "").await;
    let target = setup.patch(&setup.start_upload("team/app").await, &BLOB[..10], None).await;
    let impossible = Fault::with_header("range", "0-18446744073709551614").method(Method::GET);
    setup.registry.api().inject(impossible);
    let status = setup.regpass.get(&target).await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, Some("0-9")), "{status:?}");
    setup.finish_upload(&location_of(&status), &BLOB[10..], BLOB).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn only_the_first_of_two_digests_is_forwarded() {
    let (setup, target) = PushSetup::with_upload().await;
    let other = with_query(&with_digest(&target, BLOB), &format!("digest={}", sha256(b"other")));
    let reply = setup.send(Method::PUT, &other, BLOB).await;
    setup.assert_created(&reply, BLOB);
    let forwarded = setup.sim.ledger().lines().pop().unwrap();
    assert!(!forwarded.contains(&sha256(b"other")), "{forwarded}");
    setup.sim.finish();
}

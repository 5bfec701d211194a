//! The sequences of requests by which clients push a blob.

use bytes::Bytes;
use http::Method;

use super::clients::StreamedRequest;
use super::{
    PushSetup, UPLOADS, body_target, location_of, ranged_patch, received_bodies, request_with_body,
    request_with_length, token_registry, with_digest, with_query,
};
use crate::harness::with_header;
use crate::sim::sha256;

const BLOB: &[u8] = b"the first part, and the second";

#[tokio::test(start_paused = true)]
async fn a_blob_sent_by_post_and_put_is_forwarded_as_it_is() {
    let setup = PushSetup::start(token_registry(), "").await;
    let location = setup.start_upload("team/app").await;
    setup.expect(&[
        "registry GET /v2/ anonymous 401",
        "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200",
        "registry POST /v2/team/app/blobs/uploads/ bearer#1 202",
    ]);
    setup.finish_upload(&location, BLOB, BLOB).await;
    let digest = sha256(BLOB);
    setup.expect(&[&format!("registry PUT /v2/team/app/blobs/uploads/upload-1?_state=…&digest={digest} bearer#1 201")]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_blob_sent_by_patches_is_forwarded_with_the_ranges_the_client_sent() {
    let digest = sha256(BLOB);
    let patch = "registry PATCH /v2/team/app/blobs/uploads/upload-2?_state=… bearer#1 202";
    let put = format!("registry PUT /v2/team/app/blobs/uploads/upload-2?_state=…&digest={digest} bearer#1 201");
    let post = "registry POST /v2/team/app/blobs/uploads/ bearer#1 202";
    // Where the parts end, whether they have a `Content-Range`, and whether the last one is in the PUT.
    for (ends, ranged, last_by_put) in [
        (&[30][..], false, false),
        (&[30], true, false),
        (&[7, 15, 16, 30], true, false),
        (&[7, 15, 30], true, true),
        (&[7, 15, 30], false, true),
    ] {
        let setup = PushSetup::start(token_registry(), "").await;
        setup.warm().await;
        let mut target = setup.start_upload("team/app").await;
        let (mut first, mut lines) = (0, vec![post]);
        for &end in &ends[..ends.len() - usize::from(last_by_put)] {
            let range = ranged.then(|| format!("{first}-{}", end - 1));
            let request = match range {
                Some(range) => ranged_patch(&target, &BLOB[first..end], &range),
                None => request_with_body(Method::PATCH, &target, &BLOB[first..end]),
            };
            let reply = setup.regpass.send(request).await;
            assert_eq!((reply.status.as_u16(), reply.header("range")), (202, Some(&*format!("0-{}", end - 1))));
            target = location_of(&reply);
            first = end;
            lines.push(patch);
        }
        setup.finish_upload(&target, &BLOB[first..], BLOB).await;
        lines.push(&put);
        let ranges: Vec<_> = setup
            .sim
            .ledger()
            .entries()
            .iter()
            .filter_map(|entry| entry.headers.get("content-range").cloned())
            .collect();
        assert_eq!(ranges.len(), if ranged { lines.len() - 2 } else { 0 }, "regpass forwards ranges and adds none");
        setup.expect(&lines);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_out_of_order_is_a_416_with_the_range_that_continues() {
    let setup = PushSetup::start(token_registry(), "").await;
    setup.warm().await;
    let first = setup.start_upload("team/app").await;
    let second = setup.patch(&first, &BLOB[..15], Some("0-14")).await;
    let reply = setup.regpass.send(ranged_patch(&second, &BLOB[20..], "20-29")).await;
    assert_eq!(reply.status_and_code(), "416 RANGE_INVALID");
    assert_eq!(reply.header("range"), Some("0-14"));
    let third = setup.patch(&location_of(&reply), &BLOB[15..], Some("15-29")).await;
    setup.finish_upload(&third, "", BLOB).await;
    setup.clear_ledger();
    for malformed in ["x", "9-0", "5-", "bytes */5"] {
        let request = ranged_patch(&third, "x", malformed);
        setup.assert_rejected_by_regpass(request, "400 BLOB_UPLOAD_INVALID", malformed).await;
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn bodies_reach_the_registry_with_the_clients_framing() {
    for method in [Method::PATCH, Method::PUT] {
        for length in [None, Some(30)] {
            let (setup, target) = PushSetup::with_upload().await;
            setup.clear_ledger();
            let request = request_with_length(method.clone(), &body_target(&method, &target, BLOB), length);
            let reply = StreamedRequest::send(&setup.regpass, request, BLOB, 7).await;
            let framing = if length.is_some() { "length 30" } else { "chunked" };
            assert_eq!(received_bodies(&setup.sim), [format!("{method} {framing}, 30 complete")]);
            match method {
                Method::PUT => setup.assert_created(&reply, BLOB),
                _ => setup.finish_upload(&location_of(&reply), "", BLOB).await,
            }
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn empty_bodies_and_the_empty_blob_keep_the_clients_framing() {
    // docker sends its PUT with `Content-Length: 0`, others an empty chunked body.
    for chunked in [false, true] {
        for blob in [BLOB, b""] {
            let (setup, mut target) = PushSetup::with_upload().await;
            target = setup.patch(&target, blob, None).await;
            setup.clear_ledger();
            let put = request_with_body(Method::PUT, &with_digest(&target, blob), "");
            let reply = if chunked {
                StreamedRequest::start(&setup.regpass, put).await.finish().await
            } else {
                setup.regpass.send(put).await
            };
            setup.assert_created(&reply, blob);
            let framing = if chunked { "chunked" } else { "length 0" };
            assert_eq!(received_bodies(&setup.sim), [format!("PUT {framing}, 0 complete")]);
            setup.sim.finish();
        }
    }
    let (setup, target) = PushSetup::with_upload().await;
    setup.finish_upload(&target, "", b"").await;
    assert_eq!(received_bodies(&setup.sim)[1..], ["POST length 0, 0 complete", "PUT length 0, 0 complete"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn upload_and_oci_headers_are_forwarded_and_others_are_not() {
    let mut preset = token_registry();
    preset.headers = &[
        ("oci-chunk-min-length", "1024"),
        ("oci-something-new", "1"),
        ("set-cookie", "sticky=1"),
        ("x-internal", "1"),
        ("docker-distribution-api-version", "registry/2.0"),
    ];
    let setup = PushSetup::start(preset, "").await;
    setup.warm().await;
    let post = request_with_body(Method::POST, UPLOADS, "");
    let post = with_header(
        with_header(with_header(post, "oci-client-word", "2"), "authorization", "Basic eDp5"),
        "content-type",
        "text/plain",
    );
    let started = setup.regpass.send(post).await;
    let sent = setup.sim.ledger().take().remove(0).headers;
    assert_eq!(sent.get("oci-client-word").map(http::HeaderValue::as_bytes), Some(&b"2"[..]));
    assert!(!sent.contains_key("content-type"), "a request without a body has no content-type");

    let patched = setup.regpass.send(request_with_body(Method::PATCH, &location_of(&started), BLOB)).await;
    let content_type = setup.sim.ledger().take().remove(0).headers.get("content-type").cloned();
    assert_eq!(content_type.as_ref().map(http::HeaderValue::as_bytes), Some(&b"application/octet-stream"[..]));
    let target = with_digest(&location_of(&patched), BLOB);
    let finished = setup.regpass.send(request_with_body(Method::PUT, &target, "")).await;
    setup.assert_created(&finished, BLOB);
    for (reply, status, range) in [(&started, 202, Some("0-0")), (&patched, 202, Some("0-29")), (&finished, 201, None)]
    {
        assert_eq!(reply.status, status);
        assert_eq!((reply.header("range"), &reply.body), (range, &Bytes::new()));
        assert_eq!(reply.header("content-length"), Some("0"));
        assert_eq!(reply.header("oci-chunk-min-length"), Some("1024"));
        assert_eq!(reply.header("oci-something-new"), Some("1"));
        for hidden in ["set-cookie", "x-internal", "www-authenticate", "content-type"] {
            assert_eq!(reply.header(hidden), None);
        }
    }
    assert_eq!(started.header("docker-upload-uuid"), Some("upload-2"));
    assert_eq!(patched.header("docker-upload-uuid"), Some("upload-2"));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_registry_rejects_a_wrong_digest_and_regpass_a_malformed_one() {
    let (setup, target) = PushSetup::with_upload().await;
    setup.clear_ledger();
    for malformed in ["", "digest=", "digest=sha256:12", "digest=latest"] {
        let request = request_with_body(Method::PUT, &with_query(&target, malformed), BLOB);
        setup.assert_rejected_by_regpass(request, "400 DIGEST_INVALID", malformed).await;
    }
    let reply = setup.send(Method::PUT, &with_digest(&target, b"else"), BLOB).await;
    assert_eq!(reply.status_and_code(), "400 DIGEST_INVALID");
    setup.sim.finish();
}

//! The ways to send a blob.

use bytes::Bytes;
use http::Method;

use super::client::Sending;
use super::{Stage, UPLOADS, and, bodies, carrying, location, plain};
use crate::harness::with;
use crate::sim::sha256;

const BLOB: &[u8] = b"the first part, and the second";

#[tokio::test(start_paused = true)]
async fn a_blob_goes_by_post_and_put() {
    let stage = Stage::set(plain(), "").await;
    let location = stage.begin("team/app").await;
    stage.expect(&[
        "registry GET /v2/ anonymous 401",
        "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200",
        "registry POST /v2/team/app/blobs/uploads/ bearer#1 202",
    ]);
    stage.finish(&location, BLOB, BLOB).await;
    let digest = sha256(BLOB);
    stage.expect(&[&format!("registry PUT /v2/team/app/blobs/uploads/upload-1?_state=…&digest={digest} bearer#1 201")]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_blob_goes_by_patches_with_and_without_ranges() {
    let digest = sha256(BLOB);
    let patch = "registry PATCH /v2/team/app/blobs/uploads/upload-2?_state=… bearer#1 202";
    let put = format!("registry PUT /v2/team/app/blobs/uploads/upload-2?_state=…&digest={digest} bearer#1 201");
    let post = "registry POST /v2/team/app/blobs/uploads/ bearer#1 202";
    // Each: where a part ends, whether it is ranged, and whether the last part comes with the PUT.
    for (ends, ranged, last_by_put) in [
        (&[30][..], false, false),
        (&[30], true, false),
        (&[7, 15, 16, 30], true, false),
        (&[7, 15, 30], true, true),
        (&[7, 15, 30], false, true),
    ] {
        let stage = Stage::set(plain(), "").await;
        stage.warm().await;
        let mut target = stage.begin("team/app").await;
        let (mut first, mut lines) = (0, vec![post]);
        for &end in &ends[..ends.len() - usize::from(last_by_put)] {
            let range = ranged.then(|| format!("{first}-{}", end - 1));
            let mut request = carrying(Method::PATCH, &target, &BLOB[first..end]);
            if let Some(range) = range {
                request = with(request, "content-range", &range);
            }
            let reply = stage.regpass.send(request).await;
            assert_eq!((reply.status.as_u16(), reply.header("range")), (202, Some(&*format!("0-{}", end - 1))));
            target = location(&reply);
            first = end;
            lines.push(patch);
        }
        stage.finish(&target, &BLOB[first..], BLOB).await;
        lines.push(&put);
        let ranges: Vec<_> = stage
            .sim
            .ledger()
            .entries()
            .iter()
            .filter_map(|entry| entry.headers.get("content-range").cloned())
            .collect();
        assert_eq!(
            ranges.len(),
            if ranged { lines.len() - 2 } else { 0 },
            "ranges reach the registry, and none is made"
        );
        stage.expect(&lines);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_out_of_order_is_told_where_to_go_on() {
    let stage = Stage::set(plain(), "").await;
    stage.warm().await;
    let first = stage.begin("team/app").await;
    let second = stage.patch(&first, &BLOB[..15], Some("0-14")).await;
    let wrong = with(carrying(Method::PATCH, &second, &BLOB[20..]), "content-range", "20-29");
    let reply = stage.regpass.send(wrong).await;
    assert_eq!(reply.verdict(), "416 RANGE_INVALID");
    assert_eq!(reply.header("range"), Some("0-14"));
    let third = stage.patch(&location(&reply), &BLOB[15..], Some("15-29")).await;
    stage.finish(&third, "", BLOB).await;
    for bad in ["x", "9-0", "5-", "bytes */5"] {
        stage.forget();
        let reply = stage.regpass.send(with(carrying(Method::PATCH, &third, "x"), "content-range", bad)).await;
        assert_eq!(reply.verdict(), "400 BLOB_UPLOAD_INVALID", "{bad}");
        stage.expect(&[]);
    }
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn bodies_arrive_framed_as_the_client_sent_them() {
    let digest = sha256(BLOB);
    for method in [Method::PATCH, Method::PUT] {
        for length in [None, Some("30")] {
            let stage = Stage::set(plain(), "").await;
            let target = stage.begin("team/app").await;
            stage.forget();
            let target = if method == Method::PUT { and(&target, &format!("digest={digest}")) } else { target };
            let mut request = carrying(method.clone(), &target, "");
            if let Some(length) = length {
                request = with(request, "content-length", length);
            }
            let sending = Sending::begin(&stage.regpass, request).await;
            for piece in BLOB.chunks(7) {
                sending.piece(piece);
            }
            let reply = sending.end().await;
            let framing = if length.is_some() { "length 30" } else { "chunked" };
            assert_eq!(bodies(&stage.sim), [format!("{method} {framing}, 30 whole")]);
            match method {
                Method::PUT => stage.assert_created(&reply, BLOB),
                _ => stage.finish(&location(&reply), "", BLOB).await,
            }
            stage.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn empty_bodies_and_the_empty_blob_are_no_exception() {
    // docker sends its PUT with `Content-Length: 0`, others an empty chunked body.
    for chunked in [false, true] {
        for whole in [BLOB, b""] {
            let stage = Stage::set(plain(), "").await;
            let mut target = stage.begin("team/app").await;
            target = stage.patch(&target, whole, None).await;
            stage.forget();
            let put = carrying(Method::PUT, &and(&target, &format!("digest={}", sha256(whole))), "");
            let reply = if chunked {
                Sending::begin(&stage.regpass, put).await.end().await
            } else {
                stage.regpass.send(put).await
            };
            stage.assert_created(&reply, whole);
            let framing = if chunked { "chunked" } else { "length 0" };
            assert_eq!(bodies(&stage.sim), [format!("PUT {framing}, 0 whole")]);
            stage.sim.finish();
        }
    }
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    stage.finish(&target, "", b"").await;
    assert_eq!(bodies(&stage.sim)[1..], ["POST length 0, 0 whole", "PUT length 0, 0 whole"]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn headers_that_mean_something_pass_and_others_do_not() {
    let mut preset = plain();
    preset.headers = &[
        ("oci-chunk-min-length", "1024"),
        ("oci-something-new", "1"),
        ("set-cookie", "sticky=1"),
        ("x-internal", "1"),
        ("docker-distribution-api-version", "registry/2.0"),
    ];
    let stage = Stage::set(preset, "").await;
    stage.warm().await;
    let post = carrying(Method::POST, UPLOADS, "");
    let post =
        with(with(with(post, "oci-client-word", "2"), "authorization", "Basic eDp5"), "content-type", "text/plain");
    let began = stage.regpass.send(post).await;
    let seen = stage.sim.ledger().take().remove(0).headers;
    assert_eq!(seen.get("oci-client-word").map(http::HeaderValue::as_bytes), Some(&b"2"[..]));
    assert!(!seen.contains_key("content-type"), "of a body that is not there");

    let patched = stage.regpass.send(carrying(Method::PATCH, &location(&began), BLOB)).await;
    let kind = stage.sim.ledger().take().remove(0).headers.get("content-type").cloned();
    assert_eq!(kind.as_ref().map(http::HeaderValue::as_bytes), Some(&b"application/octet-stream"[..]));
    let target = and(&location(&patched), &format!("digest={}", sha256(BLOB)));
    let finished = stage.regpass.send(carrying(Method::PUT, &target, "")).await;
    stage.assert_created(&finished, BLOB);
    for (reply, status, range) in [(&began, 202, Some("0-0")), (&patched, 202, Some("0-29")), (&finished, 201, None)] {
        assert_eq!(reply.status, status);
        assert_eq!((reply.header("range"), &reply.body), (range, &Bytes::new()));
        assert_eq!(reply.header("content-length"), Some("0"));
        assert_eq!(reply.header("oci-chunk-min-length"), Some("1024"));
        assert_eq!(reply.header("oci-something-new"), Some("1"));
        for gone in ["set-cookie", "x-internal", "www-authenticate", "content-type"] {
            assert_eq!(reply.header(gone), None);
        }
    }
    assert_eq!(began.header("docker-upload-uuid"), Some("upload-2"));
    assert_eq!(patched.header("docker-upload-uuid"), Some("upload-2"));
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_digest_that_is_wrong_is_the_registrys_to_refuse_and_one_that_is_none_is_not() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    stage.forget();
    for bad in ["", "digest=", "digest=sha256:12", "digest=latest"] {
        let reply = stage.send(Method::PUT, &and(&target, bad), BLOB).await;
        assert_eq!(reply.verdict(), "400 DIGEST_INVALID", "{bad}");
        stage.expect(&[]);
    }
    let reply = stage.send(Method::PUT, &and(&target, &format!("digest={}", sha256(b"else"))), BLOB).await;
    assert_eq!(reply.verdict(), "400 DIGEST_INVALID");
    stage.sim.finish();
}

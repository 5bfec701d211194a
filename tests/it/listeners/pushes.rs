//! Pushes through a listener with client authentication: the 401 is sent before the body is read.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Files, PASSWORD, assert_challenged, basic, start};
use crate::harness::{manifest_put, request, with_header};
use crate::sim::{Image, ImageFormat, sha256};
use crate::wire::{connect, parse_response};

const UPLOADS: &str = "/v2/acme/app/blobs/uploads/";

#[tokio::test(start_paused = true)]
async fn push_without_a_client_credential_is_401_before_its_body() {
    let files = Files::new();
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD)])).await;
    for authorization in ["", &format!("Authorization: {}\r\n", basic("alice", "wrong"))] {
        for framing in ["Content-Length: 1000000000", "Transfer-Encoding: chunked"] {
            for expect in ["", "Expect: 100-continue\r\n"] {
                let head =
                    format!("POST {UPLOADS} HTTP/1.1\r\nHost: localhost\r\n{authorization}{expect}{framing}\r\n\r\n");
                let (mut stream, _serving) = connect(&regpass);
                stream.write_all(head.as_bytes()).await.unwrap();
                let mut response = Vec::new();
                // No byte of the body is sent, and regpass must not request it with "100 Continue".
                let closed = timeout(Duration::from_secs(5), stream.read_to_end(&mut response)).await;
                assert!(closed.is_ok(), "the connection stays open: {authorization} {framing} {expect}");
                assert_challenged(&parse_response(&response), framing);
            }
        }
    }
    sim.ledger().expect(&[]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn every_request_of_a_push_needs_the_client_credential() {
    let files = Files::new();
    let (sim, registry, regpass) = start(&files.htpasswd(&[("alice", PASSWORD)])).await;
    sim.forbid_secret(PASSWORD);
    let authorization = basic("alice", PASSWORD);
    let send = |method: Method, target: &str, body: &[u8]| {
        let request = request(method, target).map(|_| body.to_vec().into());
        regpass.send(with_header(request, "authorization", &authorization))
    };
    let started = send(Method::POST, UPLOADS, b"").await;
    assert_eq!(started.status, 202, "{started:?}");
    let location = started.header("location").unwrap().to_owned();
    // The upload location alone gives no access.
    assert_challenged(&regpass.send(request(Method::PATCH, &location).map(|_| "stolen".into())).await, "a location");
    let patched = send(Method::PATCH, &location, b"a blob").await;
    assert_eq!(patched.status, 202, "{patched:?}");
    let target = format!("{}?digest={}", patched.header("location").unwrap(), sha256(b"a blob"));
    assert_eq!(send(Method::PUT, &target, b"").await.status, 201);
    let image = Image::single("app", ImageFormat::Docker);
    let tag = "/v2/acme/app/manifests/2";
    assert_challenged(&regpass.send(manifest_put(tag, &image)).await, "a manifest");
    assert_eq!(regpass.send(with_header(manifest_put(tag, &image), "authorization", &authorization)).await.status, 201);
    let is_stored = registry.store().read("acme/app", |repository| repository.blobs.contains_key(&sha256(b"a blob")));
    assert_eq!(is_stored, Some(true));
    sim.finish();
}

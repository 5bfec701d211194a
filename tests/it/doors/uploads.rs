//! Pushes through a listener that wants a login: who has none is told before a body is read.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Files, PASSWORD, assert_wants_login, basic, start};
use crate::harness::{put, request, with};
use crate::sim::{Family, Image, sha256};
use crate::wire::{connect, parse};

const UPLOADS: &str = "/v2/acme/app/blobs/uploads/";

#[tokio::test(start_paused = true)]
async fn a_push_without_a_login_is_refused_before_its_body() {
    let files = Files::new();
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD)])).await;
    for login in ["", &format!("Authorization: {}\r\n", basic("alice", "wrong"))] {
        for framing in ["Content-Length: 1000000000", "Transfer-Encoding: chunked"] {
            for expect in ["", "Expect: 100-continue\r\n"] {
                let head = format!("POST {UPLOADS} HTTP/1.1\r\nHost: localhost\r\n{login}{expect}{framing}\r\n\r\n");
                let (mut stream, _serving) = connect(&regpass);
                stream.write_all(head.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                // Not one byte of the body was sent, and "100 Continue" would have asked for it.
                let closed = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
                assert!(closed.is_ok(), "answered and closed: {login} {framing} {expect}");
                assert_wants_login(&parse(&answer), framing);
            }
        }
    }
    sim.ledger().expect(&[]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_image_is_pushed_with_a_login_at_every_step() {
    let files = Files::new();
    let (sim, registry, regpass) = start(&files.htpasswd(&[("alice", PASSWORD)])).await;
    sim.never_see(PASSWORD);
    let login = basic("alice", PASSWORD);
    let send = |method: Method, target: &str, body: &[u8]| {
        let request = request(method, target).map(|_| body.to_vec().into());
        regpass.send(with(request, "authorization", &login))
    };
    let begun = send(Method::POST, UPLOADS, b"").await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let location = begun.header("location").unwrap().to_owned();
    // A location is no login.
    assert_wants_login(&regpass.send(request(Method::PATCH, &location).map(|_| "stolen".into())).await, "a location");
    let patched = send(Method::PATCH, &location, b"a blob").await;
    assert_eq!(patched.status, 202, "{patched:?}");
    let target = format!("{}?digest={}", patched.header("location").unwrap(), sha256(b"a blob"));
    assert_eq!(send(Method::PUT, &target, b"").await.status, 201);
    let image = Image::single("app", Family::Docker);
    let tag = "/v2/acme/app/manifests/2";
    assert_wants_login(&regpass.send(put(tag, &image)).await, "a manifest");
    assert_eq!(regpass.send(with(put(tag, &image), "authorization", &login)).await.status, 201);
    let kept = registry.store().read("acme/app", |repository| repository.blobs.contains_key(&sha256(b"a blob")));
    assert_eq!(kept, Some(true));
    sim.finish();
}

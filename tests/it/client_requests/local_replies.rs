//! Requests that regpass answers without a request to a registry.

use bytes::Bytes;
use http::{Method, Request};

use super::{TAGS, assert_error_document, assert_own_headers, start};
use crate::harness::request;
use crate::wire::{send_raw, send_raw_bytes};

#[tokio::test(start_paused = true)]
async fn ping_is_answered_locally_for_every_registry() {
    // Also where pulls are not allowed, as a ping pulls nothing.
    for more in ["", "allow = [\"push\"]", "repositories = []"] {
        let (sim, _, regpass) = start(more).await;
        for target in ["/v2/", "/v2", "/v2/reg/", "/v2/reg", "/v2/ghcr.io/", "/v2/?ns=docker.io"] {
            let reply = regpass.get(target).await;
            assert_eq!((reply.status.as_u16(), &*reply.body), (200, &b"{}"[..]), "{more} {target}");
            assert_own_headers(&reply, target);
            let head = regpass.head(target).await;
            assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, Some("2"), 0));
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            let reply = regpass.send(request(method.clone(), "/v2/")).await;
            assert_eq!(reply.status_and_code(), "405 UNSUPPORTED", "{method}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        }
        sim.ledger().expect(&[]);
    }
}

#[tokio::test(start_paused = true)]
async fn root_names_the_path_of_the_api() {
    let (sim, _, regpass) = start("").await;
    let reply = regpass.get("/").await;
    assert_eq!((reply.status.as_u16(), reply.json()["api"].as_str()), (200, Some("/v2/")));
    assert_own_headers(&reply, "/");
    let reply = regpass.send(request(Method::POST, "/")).await;
    assert_eq!((reply.status_and_code().as_str(), reply.header("allow")), ("405 UNSUPPORTED", Some("GET, HEAD")));
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn requests_outside_the_api_are_rejected_locally() {
    let (sim, _, regpass) = start("allow = [\"pull\", \"push\", \"delete\"]").await;
    let digest = format!("sha256:{}", "a".repeat(64));
    let (upper, short) = (digest.to_uppercase(), &digest[..70]);
    let not_found = [
        "GET /v1/_ping",
        "GET /v2x",
        "GET /V2/",
        "GET /favicon.ico",
        "GET /v2/acme/app",
        "GET /v2/tags/list",
        "GET /v2/acme/app/blobs/../../x",
        "GET //evil.example/v2/",
        "GET /v2/acme/app/_team/ext/search",
        "GET /v2/acme/app/_oci",
        "GET /v2/acme/app/_oci/../../secret",
        "GET /v2/_oci/ext/discover",
        "GET /v2/_catalog/acme",
    ];
    let invalid_names = [
        "GET /v2/Acme/app/tags/list",
        "GET /v2/acme/../app/tags/list",
        "GET /v2/../v2/acme/app/tags/list",
        "GET /v2/%2e%2e/app/tags/list",
        "GET /v2/acme/./app/tags/list",
        "GET /v2/acme%2F..%2Fapp/tags/list",
        "GET /v2/acme%2F%2e/app/tags/list",
        "GET /v2/acme/..%2Fapp/manifests/1",
        "GET /v2/acme%252Fapp/tags/list",
        "GET /v2/acme%5Capp/tags/list",
        "GET /v2/acme/app%00/tags/list",
        "GET /v2/acme/app%0d%0aX:y/tags/list",
        "GET /v2/acme/%ff%fe/tags/list",
        "GET /v2/acme/%zz/tags/list",
        "GET /v2/acme/app%20/tags/list",
        "GET /v2/acme/%252e%252e/tags/list",
        "GET /v2/acme/app/_oci/../../manifests/1",
        "GET /v2/acme/app/_oci/manifests/1",
    ];
    let invalid_references = [
        "GET /v2/acme/app/manifests/",
        "GET /v2/acme/app/manifests/-x",
        "GET /v2/acme/app/manifests/..",
        "GET /v2/acme/app/manifests/a%3Fb",
    ];
    let invalid_digests = [
        "GET /v2/acme/app/manifests/sha256:x",
        &format!("GET /v2/acme/app/manifests/{upper}"),
        &format!("GET /v2/acme/app/blobs/{short}"),
        "GET /v2/acme/app/blobs/latest",
        "GET /v2/acme/app/blobs/MD5:d41d8cd98f00b204e9800998ecf8427e",
        "GET /v2/acme/app/blobs/md5:a.b",
        "GET /v2/acme/app/referrers/latest",
    ];
    let unsupported_methods = [
        "OPTIONS /v2/acme/app/tags/list",
        "TRACE /v2/acme/app/tags/list",
        "TRACE /v2/acme/app/manifests/1",
        "BREW /v2/acme/app/manifests/1",
        "POST /v2/_catalog",
        &format!("PATCH /v2/acme/app/blobs/{digest}"),
        "GET /v2/acme/app/blobs/uploads/",
        "POST /v2/acme/app/_oci/ext/discover",
    ];
    for (verdict, requests) in [
        ("404 UNSUPPORTED", &not_found[..]),
        ("400 NAME_INVALID", &invalid_names),
        ("400 MANIFEST_INVALID", &invalid_references),
        ("400 DIGEST_INVALID", &invalid_digests),
        ("405 UNSUPPORTED", &unsupported_methods),
    ] {
        for request in requests {
            let reply = send_raw(&regpass, &[&format!("{request} HTTP/1.1"), "Host: localhost:5050"]).await;
            assert_eq!(reply.status_and_code(), verdict, "{request}");
            assert_error_document(&reply, request);
            assert_eq!(reply.header("allow").is_some(), reply.status == 405, "{request}");
        }
    }
    sim.ledger().expect(&[]);
    assert!(sim.network().dials().is_empty());
}

#[tokio::test(start_paused = true)]
async fn oversized_or_malformed_request_heads_are_rejected() {
    let (sim, _, regpass) = start("").await;
    let host = "Host: localhost";
    let long = |length: usize| format!("GET /v2/{}/tags/list HTTP/1.1", "a".repeat(length));
    for (lines, status) in [
        (vec![long(300), host.into()], 400),
        (vec![long(60_000), host.into()], 400),
        (vec![long(100_000), host.into()], 414),
        (vec![TAGS.into(), host.into(), format!("X: {}", "a".repeat(600_000))], 431),
        (std::iter::once(TAGS.into()).chain([host.into()]).chain((0..200).map(|n| format!("X-{n}: a"))).collect(), 431),
        (vec!["GET /v2/ HTTP/3.0".into(), host.into()], 400),
        (vec!["GET  /v2/ HTTP/1.1".into(), host.into()], 400),
        (vec![TAGS.into(), host.into(), "Content-Length: 1".into(), "Content-Length: 2".into()], 400),
        (vec![TAGS.into(), host.into(), "Bad Name: 1".into()], 400),
    ] {
        let lines: Vec<&str> = lines.iter().map(|line: &String| &**line).collect();
        assert_eq!(send_raw(&regpass, &lines).await.status, status, "{lines:.80?}");
    }
    let not_utf8 =
        [&b"GET /v2/acme/\xff/tags/list HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"[..]].concat();
    assert_eq!(send_raw_bytes(&regpass, &not_utf8).await.status, 400);
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn rejected_head_request_gets_status_and_headers() {
    let (sim, _, regpass) = start("").await;
    for (target, status) in [
        ("/nothing", 404),
        ("/v2/Acme/app/tags/list", 400),
        ("/v2/evil.example/app/manifests/1", 404),
        ("/v2/acme/app/blobs/x", 400),
    ] {
        let reply = regpass.head(target).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (status, 0), "{target}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_own_headers(&reply, target);
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn denial_by_the_configuration_names_the_setting() {
    let (sim, _, regpass) = start("repositories = [\"acme/**\"]").await;
    for (method, target, setting) in [
        (Method::PUT, "/v2/acme/app/manifests/1", "`allow`"),
        (Method::POST, "/v2/acme/app/blobs/uploads/", "`allow`"),
        (Method::DELETE, "/v2/acme/app/manifests/1", "`allow`"),
        (Method::GET, "/v2/other/app/manifests/1", "`repositories`"),
        (Method::GET, "/v2/acmeevil/app/tags/list", "`repositories`"),
    ] {
        let reply = regpass.send(request(method, target)).await;
        assert_eq!(reply.status_and_code(), "403 DENIED", "{target}");
        assert!(reply.error().1.contains(setting) && reply.error().1.contains("[registry.\"reg.test\"]"), "{target}");
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn get_may_have_a_body_and_a_large_manifest_is_413() {
    let (sim, _, regpass) = start("allow = [\"pull\", \"push\"]").await;
    let body = |method: Method, length: usize| {
        let target = "/v2/acme/app/manifests/1";
        let request = Request::builder().method(method).uri(target).header("host", "localhost");
        request.body(Bytes::from(vec![b'x'; length])).unwrap()
    };
    let reply = regpass.send(body(Method::PUT, 5 << 20)).await;
    assert_eq!(reply.status_and_code(), "413 SIZE_INVALID");
    assert_error_document(&reply, "413");
    sim.ledger().expect(&[]);
    assert_eq!(regpass.send(body(Method::GET, 10)).await.status, 200);
    assert_eq!(sim.ledger().take().len(), 1);
}

//! Paths as some clients write them: slashes too many, encoded slashes. And the spelling of header names.

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{TAGS_REQUEST, assert_own_headers, start};
use crate::harness::request;
use crate::sim::sha256;
use crate::wire::{connect, send_raw};

const HOST: &str = "Host: localhost:5050";

/// distribution answers these paths with a redirect, too: observed at version 2.8.2 on 2026-11-29.
#[tokio::test(start_paused = true)]
async fn path_with_slashes_too_many_is_redirected_to_the_one_without() {
    let (sim, _, regpass) = start("allow = [\"pull\", \"push\", \"delete\"]").await;
    let blob = format!("/v2/acme/app/blobs/{}", sha256(b"x"));
    for (line, status, location) in [
        ("GET //v2/", 301, "/v2/"),
        ("HEAD //v2", 301, "/v2/"),
        ("GET /v2//", 301, "/v2/"),
        ("GET //v2/acme/app/tags/list?n=1&last=a%2Fb", 301, "/v2/acme/app/tags/list?n=1&last=a%2Fb"),
        ("GET /v2//acme/app/tags/list", 301, "/v2/acme/app/tags/list"),
        ("GET /v2/acme///app//tags/list", 301, "/v2/acme/app/tags/list"),
        ("GET /v2/acme/app/tags/list/", 301, "/v2/acme/app/tags/list"),
        ("GET /v2/acme/app/tags/list/?ns=reg.test", 301, "/v2/acme/app/tags/list?ns=reg.test"),
        ("GET /v2/reg//acme/app/tags/list", 301, "/v2/reg/acme/app/tags/list"),
        ("GET /v2/acme%2F%2Fapp/tags/list", 301, "/v2/acme/app/tags/list"),
        ("GET /v2/_catalog/", 301, "/v2/_catalog"),
        ("HEAD /v2/acme/app/manifests/1/", 301, "/v2/acme/app/manifests/1"),
        (&format!("GET {blob}/"), 301, &blob),
        ("PUT /v2/acme/app/manifests/1/", 308, "/v2/acme/app/manifests/1"),
        ("DELETE /v2//acme/app/manifests/1", 308, "/v2/acme/app/manifests/1"),
        ("POST //v2/acme/app/blobs/uploads/?digest=x", 308, "/v2/acme/app/blobs/uploads/?digest=x"),
        // The redirect leads to the path itself, never to what `..` would mean, nor to another host.
        ("GET //v2/acme/../app/tags/list", 301, "/v2/acme/../app/tags/list"),
        ("GET //v2//evil.example/", 301, "/v2/evil.example/"),
        ("GET //v2/a%0ab/", 400, ""),
    ] {
        let reply = send_raw(&regpass, &[&format!("{line} HTTP/1.1"), HOST]).await;
        assert_eq!(reply.status, status, "{line}: {reply:?}");
        assert_eq!(reply.header("location").unwrap_or_default(), location, "{line}");
        assert_own_headers(&reply, line);
    }
    sim.ledger().expect(&[]);
    let counted = regpass.metric("regpass_requests_total").join("\n");
    for operation in ["ping", "list-tags", "list-repositories", "read-blob", "write-manifest", "delete-manifest"] {
        assert!(counted.contains(&format!("operation=\"{operation}\"")), "{operation}: {counted}");
    }
    // The next request is one of the API.
    assert_eq!(regpass.get("/v2/acme/app/tags/list?n=1").await.status, 200);
    sim.ledger().expect(&["registry GET /v2/acme/app/tags/list?n=1 anonymous 200"]);
}

#[tokio::test(start_paused = true)]
async fn slash_that_belongs_to_the_path_is_not_redirected() {
    let (sim, _, regpass) = start("allow = [\"pull\", \"push\"]").await;
    for (method, target, status) in [
        (Method::GET, "/v2/", 200),
        (Method::GET, "/v2", 200),
        (Method::GET, "/v2/reg/", 200),
        (Method::GET, "/v2/reg.test/", 200),
        (Method::POST, "/v2/acme/app/blobs/uploads/", 202),
        (Method::POST, "/v2/acme/app/blobs/uploads", 202),
        (Method::GET, "/v2/acme/app/manifests/", 400),
        (Method::GET, "/v2/acme/app/", 404),
    ] {
        let reply = regpass.send(request(method, target)).await;
        assert_eq!(reply.status, status, "{target}: {reply:?}");
    }
    let challenge = "registry GET /v2/ anonymous 200";
    let uploads = "registry POST /v2/acme/app/blobs/uploads/ anonymous 202";
    sim.ledger().expect(&[challenge, uploads, uploads]);
}

/// Azure's client libraries encode the slashes of names. distribution decodes the path before it splits it.
#[tokio::test(start_paused = true)]
async fn encoded_slash_separates_components_of_a_name() {
    let (sim, _, regpass) = start("allow = [\"pull\", \"push\"]\nrepositories = [\"acme/app\"]").await;
    for target in [
        "/v2/acme%2Fapp/tags/list",
        "/v2/acme%2fapp/tags%2Flist",
        "/v2/reg%2Facme%2Fapp/tags/list",
        "/v2/acme%2Fapp/tags/list?ns=reg.test",
        "/v2%2Facme/app/tags/list",
    ] {
        assert_eq!(regpass.get(target).await.status, 200, "{target}");
        sim.ledger().expect(&[TAGS_REQUEST]);
    }
    let started = regpass.send(request(Method::POST, "/v2/acme%2Fapp/blobs/uploads/")).await;
    let location = started.header("location").unwrap();
    assert!(location.starts_with("/v2/acme/app/blobs/uploads/"), "{location}");
    sim.ledger()
        .expect(&["registry GET /v2/ anonymous 200", "registry POST /v2/acme/app/blobs/uploads/ anonymous 202"]);
    assert_eq!(regpass.send(request(Method::GET, location)).await.status, 204);
    sim.ledger().take();
}

/// Whatever way a path is written, the name that `repositories` sees is the one that the registry gets.
#[tokio::test(start_paused = true)]
async fn no_spelling_of_a_path_reaches_a_repository_that_is_not_allowed() {
    let (sim, _, regpass) = start("repositories = [\"acme/app\"]").await;
    for target in [
        "/v2/acme%2Fsecret/tags/list",
        "/v2/acme/secret%2Ftags/list",
        "/v2/reg%2Facme%2Fsecret/tags/list",
        "/v2/reg.test/reg.test/acme/secret/tags/list",
        "/v2/reg/acme/secret/tags/list?ns=reg.test",
        "/v2/acme/app/manifests%2Ftags/list",
        "/v2/acme/app%2Ftags%2Flist%2Ftags/list",
        "/v2/acme/secret/_oci/ext/discover",
    ] {
        assert_eq!(regpass.get(target).await.status_and_code(), "403 DENIED", "{target}");
    }
    for line in [
        "GET /v2/acme/app/..%2Fsecret/tags/list",
        "GET /v2/acme%2Fapp%2F..%2Fsecret/tags/list",
        "GET /v2/acme/app/%2e%2e/secret/tags/list",
        "GET /v2/acme/app%2F.%2Ftags/list",
        "GET /v2/acme/app/_oci/..%2F..%2Fsecret/tags/list",
        "GET /v2/acme/app/_oci/ext/..%2F..%2F..%2Fsecret%2Fmanifests%2F1",
        "GET /v2/acme%252Fsecret/tags/list",
    ] {
        let reply = send_raw(&regpass, &[&format!("{line} HTTP/1.1"), HOST]).await;
        assert!(matches!(reply.status.as_u16(), 400 | 404), "{line}: {reply:?}");
    }
    sim.ledger().expect(&[]);
}

/// Some clients look for `Docker-Distribution-Api-Version` to the letter, as registries written in Go send it.
#[tokio::test(start_paused = true)]
async fn header_names_are_capitalized() {
    let (_sim, _, regpass) = start("").await;
    for (target, names) in [
        ("/v2/", &["Docker-Distribution-Api-Version", "Content-Type", "Content-Length", "Date", "Via"][..]),
        ("/v2/acme/app/manifests/1", &["Docker-Content-Digest", "Etag", "Server-Timing"]),
        ("/v2/acme/app/tags/list?ns=reg.test", &["Oci-Namespace", "Docker-Distribution-Api-Version"]),
        ("/v2//", &["Location", "Docker-Distribution-Api-Version"]),
        ("/nothing", &["Content-Type", "Docker-Distribution-Api-Version"]),
    ] {
        let (mut stream, _serving) = connect(&regpass);
        let head = format!("GET {target} HTTP/1.1\r\n{HOST}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        let response = String::from_utf8(response).unwrap();
        let (head, _) = response.split_once("\r\n\r\n").unwrap();
        let sent: Vec<&str> = head.lines().skip(1).map(|line| line.split(':').next().unwrap()).collect();
        for name in names {
            assert!(sent.contains(name), "{target} lacks {name}: {sent:?}");
        }
        let is_lower = |name: &&&str| name.starts_with(|c: char| c.is_ascii_lowercase());
        assert_eq!(sent.iter().find(is_lower), None, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn refused_extension_is_explained() {
    let (sim, _, regpass) = start("").await;
    for (target, reason) in [
        ("/v2/acme/app/_team/ext/search", "forwards reads of _chainguard, _docker, _oci"),
        ("/v2/_oci/ext/discover", "/v2/<name>/_oci/ext/discover"),
        ("/v2/acme/app/_oci", "/v2/<name>/_oci/ext/discover"),
    ] {
        let reply = regpass.get(target).await;
        assert_eq!(reply.status_and_code(), "404 UNSUPPORTED", "{target}");
        assert!(reply.error().1.contains(reason), "{target}: {}", reply.error().1);
    }
    sim.ledger().expect(&[]);
}

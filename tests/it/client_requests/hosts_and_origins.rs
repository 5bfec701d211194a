//! The check of `Host`, of the headers by which browsers mark requests of pages, and unusual request targets.

use super::{TAGS, TAGS_REQUEST, assert_error_document, assert_own_headers, start};
use crate::wire::send_raw;

#[tokio::test(start_paused = true)]
async fn configured_hosts_are_answered_and_foreign_ones_rejected() {
    let (sim, _, regpass) = start("").await;
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "[::1]:5050",
        "regpass:80",
        "dev.localhost:5050",
        "reg.corp.example",
        "reg.localhost",
        "localhost.",
    ] {
        assert_eq!(send_raw(&regpass, &[TAGS, &format!("Host: {host}")]).await.status, 200, "{host}");
        sim.ledger().expect(&[TAGS_REQUEST]);
    }
    for host in [
        "evil.example",
        "evil.example:5050",
        "localhost.evil.example",
        "127.0.0.1.nip.io:5050",
        "7f000001.rbndr.us",
        "evil-localhost",
        "xlocalhost",
        "regpass.evil.example",
        "reg.corp.example.evil.example",
        "hub.test",
        "reg.test",
    ] {
        let reply = send_raw(&regpass, &[TAGS, &format!("Host: {host}")]).await;
        assert_eq!(reply.status_and_code(), "403 DENIED", "{host}");
        assert!(reply.error().1.contains("`hosts`"), "{host}");
        assert_error_document(&reply, host);
    }
    // The check also covers what regpass answers itself.
    for path in ["/", "/v2/", "/nothing"] {
        assert_eq!(
            send_raw(&regpass, &[&format!("GET {path} HTTP/1.1"), "Host: evil.example"]).await.status,
            403,
            "{path}"
        );
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn missing_or_ambiguous_host_is_400() {
    let (sim, _, regpass) = start("").await;
    for lines in [
        &[TAGS][..],
        &[TAGS, "Host:"],
        &[TAGS, "Host: localhost", "Host: evil.example"],
        &[TAGS, "Host: localhost", "Host: localhost"],
        &[TAGS, "Host: \u{fc}.example"],
        &[TAGS, "Host: localhost:80@evil.example"],
        &[TAGS, "Host: localhost:80, evil.example"],
        &[TAGS, "Host: localhost:http"],
        &["GET http://localhost:80@evil.example/v2/acme/app/tags/list HTTP/1.1", "Host: localhost"],
    ] {
        let reply = send_raw(&regpass, lines).await;
        assert_eq!(reply.status, 400, "{lines:?}: {reply:?}");
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn absolute_form_is_checked_by_its_own_host() {
    let (sim, _, regpass) = start("").await;
    let foreign = ["GET http://evil.example/v2/acme/app/tags/list HTTP/1.1", "Host: localhost"];
    assert_eq!(send_raw(&regpass, &foreign).await.status_and_code(), "403 DENIED");
    let user_info = ["GET http://user:pass@localhost/v2/acme/app/tags/list HTTP/1.1", "Host: localhost"];
    assert!(send_raw(&regpass, &user_info).await.status.is_client_error());
    sim.ledger().expect(&[]);
    let own = ["GET http://localhost:5050/v2/acme/app/tags/list HTTP/1.1", "Host: evil.example"];
    assert_eq!(send_raw(&regpass, &own).await.status, 200);
    sim.ledger().expect(&[TAGS_REQUEST]);
}

#[tokio::test(start_paused = true)]
async fn http_1_0_without_a_host_is_answered_unless_it_has_an_origin() {
    let (sim, _, regpass) = start("").await;
    let http_1_0 = "GET /v2/acme/app/tags/list HTTP/1.0";
    assert_eq!(send_raw(&regpass, &[http_1_0]).await.status, 200);
    sim.ledger().expect(&[TAGS_REQUEST]);
    assert_eq!(send_raw(&regpass, &[http_1_0, "Host: evil.example"]).await.status, 403);
    assert_eq!(send_raw(&regpass, &[http_1_0, "Origin: http://localhost"]).await.status, 403);
    sim.ledger().expect(&[]);
}

/// Origins that are not `http://localhost:5050`.
const FOREIGN_ORIGINS: [&str; 11] = [
    "http://evil.example",
    "https://evil.example",
    "null",
    "",
    "http://localhost",
    "http://localhost:8080",
    "http://localhost:5050.evil.example",
    "http://evil.example@localhost:5050",
    "chrome-extension://localhost:5050",
    "localhost:5050",
    "http://127.0.0.1:5050",
];

#[tokio::test(start_paused = true)]
async fn foreign_origins_are_rejected() {
    let (sim, _, regpass) = start("").await;
    for origin in FOREIGN_ORIGINS {
        for line in [TAGS, "GET /v2/ HTTP/1.1", "GET / HTTP/1.1", "OPTIONS /v2/ HTTP/1.1"] {
            let reply = send_raw(&regpass, &[line, "Host: localhost:5050", &format!("Origin: {origin}")]).await;
            assert_eq!(reply.status_and_code(), "403 DENIED", "{origin} {line}");
            assert_error_document(&reply, origin);
        }
    }
    let two = [TAGS, "Host: localhost:5050", "Origin: http://localhost:5050", "Origin: http://evil.example"];
    assert_eq!(send_raw(&regpass, &two).await.status, 403);
    sim.ledger().expect(&[]);
    let own = [TAGS, "Host: localhost:5050", "Origin: http://localhost:5050"];
    assert_own_headers(&send_raw(&regpass, &own).await, "own origin");
    sim.ledger().expect(&[TAGS_REQUEST]);
}

/// What a browser sends for requests that a page of another site makes without `Origin`.
const FOREIGN_FETCHES: [[&str; 3]; 6] = [
    ["cross-site", "no-cors", "image"],
    ["cross-site", "no-cors", "script"],
    ["cross-site", "navigate", "iframe"],
    ["cross-site", "navigate", "document"],
    ["same-site", "no-cors", "style"],
    ["same-site", "navigate", "document"],
];

#[tokio::test(start_paused = true)]
async fn requests_that_a_browser_marks_as_foreign_are_rejected() {
    let (sim, _, regpass) = start("").await;
    let sent = async |line: &str, [site, mode, dest]: [&str; 3]| {
        let (site, mode) = (format!("Sec-Fetch-Site: {site}"), format!("Sec-Fetch-Mode: {mode}"));
        send_raw(&regpass, &[line, "Host: localhost:5050", &site, &mode, &format!("Sec-Fetch-Dest: {dest}")]).await
    };
    for fetch in FOREIGN_FETCHES {
        for line in [TAGS, "GET /v2/ HTTP/1.1", "GET / HTTP/1.1", "GET /nothing HTTP/1.1"] {
            let reply = sent(line, fetch).await;
            assert_eq!(reply.status_and_code(), "403 DENIED", "{fetch:?} {line}");
            assert_error_document(&reply, line);
        }
    }
    sim.ledger().expect(&[]);
    for fetch in [["none", "navigate", "document"], ["same-origin", "cors", "empty"]] {
        assert_eq!(sent(TAGS, fetch).await.status, 200, "{fetch:?}");
        sim.ledger().expect(&[TAGS_REQUEST]);
    }
}

#[tokio::test(start_paused = true)]
async fn connect_and_options_asterisk_are_rejected() {
    let (sim, registry, regpass) = start("").await;
    let connect = format!("CONNECT {}:443 HTTP/1.1", registry.authority());
    for lines in [&[&*connect, "Host: localhost"][..], &["CONNECT localhost:5050 HTTP/1.1", "Host: localhost:5050"]] {
        assert_eq!(send_raw(&regpass, lines).await.status_and_code(), "405 UNSUPPORTED", "{lines:?}");
    }
    assert_eq!(
        send_raw(&regpass, &["OPTIONS * HTTP/1.1", "Host: localhost"]).await.status_and_code(),
        "404 UNSUPPORTED"
    );
    assert!(sim.network().dials().is_empty());
}

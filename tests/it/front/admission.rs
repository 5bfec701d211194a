//! Who may speak at all: `Host`, `Origin`, and the forms a request may have.

use super::{SEEN, TAGS, assert_envelope, assert_signed, start};
use crate::wire::raw;

#[tokio::test(start_paused = true)]
async fn the_hosts_of_this_listener_are_answered_and_foreign_ones_refused() {
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
        assert_eq!(raw(&regpass, &[TAGS, &format!("Host: {host}")]).await.status, 200, "{host}");
        sim.ledger().expect(&[SEEN]);
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
        let reply = raw(&regpass, &[TAGS, &format!("Host: {host}")]).await;
        assert_eq!(reply.verdict(), "403 DENIED", "{host}");
        assert!(reply.error().1.contains("'hosts'"), "{host}");
        assert_envelope(&reply, host);
    }
    // The check covers what is answered without any registry, too.
    for path in ["/", "/v2/", "/nothing"] {
        assert_eq!(raw(&regpass, &[&format!("GET {path} HTTP/1.1"), "Host: evil.example"]).await.status, 403, "{path}");
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_can_be_read_in_two_ways_is_refused() {
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
        let reply = raw(&regpass, lines).await;
        assert_eq!(reply.status, 400, "{lines:?}: {reply:?}");
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn the_absolute_form_is_judged_by_the_host_it_names() {
    let (sim, _, regpass) = start("").await;
    let foreign = ["GET http://evil.example/v2/acme/app/tags/list HTTP/1.1", "Host: localhost"];
    assert_eq!(raw(&regpass, &foreign).await.verdict(), "403 DENIED");
    let login = ["GET http://user:pass@localhost/v2/acme/app/tags/list HTTP/1.1", "Host: localhost"];
    assert!(raw(&regpass, &login).await.status.is_client_error());
    sim.ledger().expect(&[]);
    let own = ["GET http://localhost:5050/v2/acme/app/tags/list HTTP/1.1", "Host: evil.example"];
    assert_eq!(raw(&regpass, &own).await.status, 200);
    sim.ledger().expect(&[SEEN]);
}

#[tokio::test(start_paused = true)]
async fn old_clients_without_a_host_are_answered_and_pages_among_them_are_not() {
    let (sim, _, regpass) = start("").await;
    let old = "GET /v2/acme/app/tags/list HTTP/1.0";
    assert_eq!(raw(&regpass, &[old]).await.status, 200);
    sim.ledger().expect(&[SEEN]);
    assert_eq!(raw(&regpass, &[old, "Host: evil.example"]).await.status, 403);
    assert_eq!(raw(&regpass, &[old, "Origin: http://localhost"]).await.status, 403);
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn web_pages_of_other_origins_are_refused() {
    let (sim, _, regpass) = start("").await;
    for origin in [
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
    ] {
        for line in [TAGS, "GET /v2/ HTTP/1.1", "GET / HTTP/1.1", "OPTIONS /v2/ HTTP/1.1"] {
            let reply = raw(&regpass, &[line, "Host: localhost:5050", &format!("Origin: {origin}")]).await;
            assert_eq!(reply.verdict(), "403 DENIED", "{origin} {line}");
            assert_envelope(&reply, origin);
        }
    }
    let two = [TAGS, "Host: localhost:5050", "Origin: http://localhost:5050", "Origin: http://evil.example"];
    assert_eq!(raw(&regpass, &two).await.status, 403);
    sim.ledger().expect(&[]);
    let own = [TAGS, "Host: localhost:5050", "Origin: http://localhost:5050"];
    assert_signed(&raw(&regpass, &own).await, "own origin");
    sim.ledger().expect(&[SEEN]);
}

#[tokio::test(start_paused = true)]
async fn regpass_is_no_forward_proxy() {
    let (sim, registry, regpass) = start("").await;
    let connect = format!("CONNECT {}:443 HTTP/1.1", registry.authority());
    for lines in [&[&*connect, "Host: localhost"][..], &["CONNECT localhost:5050 HTTP/1.1", "Host: localhost:5050"]] {
        assert_eq!(raw(&regpass, lines).await.verdict(), "405 UNSUPPORTED", "{lines:?}");
    }
    assert_eq!(raw(&regpass, &["OPTIONS * HTTP/1.1", "Host: localhost"]).await.verdict(), "404 UNSUPPORTED");
    assert!(sim.network().dials().is_empty());
}

//! The front door: what a stranger, a web page or a broken client may send, and that none of it travels on.

use bytes::Bytes;
use http::{Method, Request};
use regpass::net::listen;
use tokio::net::TcpListener;

use crate::harness::{Regpass, Reply, request, table, with};
use crate::sim::{Family, Image, Mode, Preset, Registry, Sim};
use crate::wire::{raw, raw_bytes};

const TAGS: &str = "GET /v2/acme/app/tags/list HTTP/1.1";
const SEEN: &str = "registry GET /v2/acme/app/tags/list anonymous 200";

async fn start(more: &str) -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::distribution(Mode::Open)).await;
    registry.publish("acme/app", "1", &Image::single("app", Family::Docker));
    let listener = "[[listener]]\naddress = \"127.0.0.1:5050\"\nhosts = [\"regpass\"]\n";
    let text = format!(
        "default_registry = \"reg.test\"\n{listener}{}",
        table("reg.test", &registry, &format!("hosts = [\"reg.corp.example\"]\nalias = \"reg\"\n{more}"))
    );
    let regpass = Regpass::start(&sim, &text);
    (sim, registry, regpass)
}

fn assert_envelope(reply: &Reply, what: &str) {
    let json = reply.json();
    let errors = json["errors"].as_array().unwrap_or_else(|| panic!("{what}: {json}"));
    assert_eq!(errors.len(), 1, "{what}");
    for key in ["code", "message"] {
        assert!(errors[0][key].as_str().is_some_and(|text| !text.is_empty()), "{what}: {json}");
    }
    for key in ["registry", "step", "blame"] {
        assert!(errors[0]["detail"].get(key).is_some(), "{what} lacks {key}: {json}");
    }
    assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
    assert_signed(reply, what);
}

fn assert_signed(reply: &Reply, what: &str) {
    assert_eq!(reply.header("via"), Some("1.1 regpass"), "{what}");
    assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"), "{what}");
    let timing = reply.header("server-timing").unwrap_or_default();
    assert!(timing.starts_with("auth;desc=") && timing.contains("upstream;dur="), "{what}: {timing}");
    for name in reply.headers.keys().map(http::HeaderName::as_str) {
        let forbidden = name.starts_with("access-control-") || ["www-authenticate", "set-cookie"].contains(&name);
        assert!(!forbidden, "{what}: {name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_hosts_of_this_listener_are_answered_and_foreign_ones_refused() {
    let (sim, _, regpass) = start("").await;
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "[::1]:5050",
        "regpass:80",
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
async fn the_ping_is_answered_here_for_every_registry() {
    // Also where pulling is not allowed: it asks for nothing.
    for more in ["", "allow = [\"push\"]", "repositories = []"] {
        let (sim, _, regpass) = start(more).await;
        for target in ["/v2/", "/v2", "/v2/reg/", "/v2/reg", "/v2/ghcr.io/", "/v2/?ns=docker.io"] {
            let reply = regpass.get(target).await;
            assert_eq!((reply.status.as_u16(), &*reply.body), (200, &b"{}"[..]), "{more} {target}");
            assert_signed(&reply, target);
            let head = regpass.head(target).await;
            assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, Some("2"), 0));
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            let reply = regpass.send(request(method.clone(), "/v2/")).await;
            assert_eq!(reply.verdict(), "405 UNSUPPORTED", "{method}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        }
        sim.ledger().expect(&[]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_root_points_on() {
    let (sim, _, regpass) = start("").await;
    let reply = regpass.get("/").await;
    assert_eq!((reply.status.as_u16(), reply.json()["api"].as_str()), (200, Some("/v2/")));
    assert_signed(&reply, "/");
    let reply = regpass.send(request(Method::POST, "/")).await;
    assert_eq!((reply.verdict().as_str(), reply.header("allow")), ("405 UNSUPPORTED", Some("GET, HEAD")));
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_of_the_api_is_answered_here() {
    let (sim, _, regpass) = start("allow = [\"pull\", \"push\", \"delete\"]").await;
    let digest = format!("sha256:{}", "a".repeat(64));
    let (upper, short) = (digest.to_uppercase(), &digest[..70]);
    for (method, path, verdict) in [
        ("GET", "/v1/_ping", "404 UNSUPPORTED"),
        ("GET", "/v2x", "404 UNSUPPORTED"),
        ("GET", "//v2/", "404 UNSUPPORTED"),
        ("GET", "/V2/", "404 UNSUPPORTED"),
        ("GET", "/favicon.ico", "404 UNSUPPORTED"),
        ("GET", "/v2/acme/app", "404 UNSUPPORTED"),
        ("GET", "/v2/_catalog/", "404 UNSUPPORTED"),
        ("GET", "/v2/acme/app/tags/list/", "404 UNSUPPORTED"),
        ("GET", "/v2/acme/app/manifests/", "400 MANIFEST_INVALID"),
        ("GET", "/v2/tags/list", "404 UNSUPPORTED"),
        ("GET", "/v2/Acme/app/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme//app/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2//acme/app/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/../app/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/../v2/acme/app/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/%2e%2e/app/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/./app/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme%2Fapp/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/app/tags%2flist", "400 NAME_INVALID"),
        ("GET", "/v2/acme%5Capp/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/app%00/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/app%0d%0aX:y/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/%ff%fe/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/%zz/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/app%20/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/%252e%252e/tags/list", "400 NAME_INVALID"),
        ("GET", "/v2/acme/app/manifests/-x", "400 MANIFEST_INVALID"),
        ("GET", "/v2/acme/app/manifests/..", "400 MANIFEST_INVALID"),
        ("GET", "/v2/acme/app/manifests/a%3Fb", "400 MANIFEST_INVALID"),
        ("GET", "/v2/acme/app/manifests/sha256:x", "400 DIGEST_INVALID"),
        ("GET", &format!("/v2/acme/app/manifests/{upper}"), "400 DIGEST_INVALID"),
        ("GET", &format!("/v2/acme/app/blobs/{short}"), "400 DIGEST_INVALID"),
        ("GET", "/v2/acme/app/blobs/latest", "400 DIGEST_INVALID"),
        ("GET", &format!("/v2/acme/app/blobs/md5:{}", "a".repeat(32)), "400 DIGEST_INVALID"),
        ("GET", "/v2/acme/app/blobs/../../x", "404 UNSUPPORTED"),
        ("GET", "/v2/acme/app/referrers/latest", "400 DIGEST_INVALID"),
        ("OPTIONS", "/v2/acme/app/tags/list", "405 UNSUPPORTED"),
        ("TRACE", "/v2/acme/app/tags/list", "405 UNSUPPORTED"),
        ("TRACE", "/v2/acme/app/manifests/1", "405 UNSUPPORTED"),
        ("BREW", "/v2/acme/app/manifests/1", "405 UNSUPPORTED"),
        ("POST", "/v2/_catalog", "405 UNSUPPORTED"),
        ("PATCH", &format!("/v2/acme/app/blobs/{digest}"), "405 UNSUPPORTED"),
        ("GET", "/v2/acme/app/blobs/uploads/", "405 UNSUPPORTED"),
    ] {
        let reply = raw(&regpass, &[&format!("{method} {path} HTTP/1.1"), "Host: localhost:5050"]).await;
        assert_eq!(reply.verdict(), verdict, "{method} {path}");
        assert_envelope(&reply, path);
        assert_eq!(reply.header("allow").is_some(), reply.status == 405, "{path}");
    }
    sim.ledger().expect(&[]);
    assert!(sim.network().dials().is_empty());
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

#[tokio::test(start_paused = true)]
async fn heads_that_are_too_large_or_broken_are_refused() {
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
        assert_eq!(raw(&regpass, &lines).await.status, status, "{lines:.80?}");
    }
    let not_text =
        [&b"GET /v2/acme/\xff/tags/list HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"[..]].concat();
    assert_eq!(raw_bytes(&regpass, &not_text).await.status, 400);
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_head_request_gets_status_and_headers() {
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
        assert_signed(&reply, target);
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_does_not_allow_names_the_setting() {
    let (sim, _, regpass) = start("repositories = [\"acme/**\"]").await;
    for (method, target, setting) in [
        (Method::PUT, "/v2/acme/app/manifests/1", "'allow'"),
        (Method::POST, "/v2/acme/app/blobs/uploads/", "'allow'"),
        (Method::DELETE, "/v2/acme/app/manifests/1", "'allow'"),
        (Method::GET, "/v2/other/app/manifests/1", "'repositories'"),
        (Method::GET, "/v2/acmeevil/app/tags/list", "'repositories'"),
    ] {
        let reply = regpass.send(request(method, target)).await;
        assert_eq!(reply.verdict(), "403 DENIED", "{target}");
        assert!(reply.error().1.contains(setting) && reply.error().1.contains("[registry.\"reg.test\"]"), "{target}");
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn only_headers_that_mean_something_to_a_registry_travel_on() {
    let (sim, _, regpass) = start("").await;
    sim.never_see("secret");
    let mut request = request(Method::GET, "/v2/acme/app/manifests/1");
    for (name, value) in [
        ("authorization", "Basic c2VjcmV0OnNlY3JldA=="),
        ("cookie", "session=secret"),
        ("proxy-authorization", "Basic secret"),
        ("proxy-connection", "keep-alive"),
        ("x-forwarded-for", "10.1.1.1"),
        ("x-forwarded-host", "secret"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=secret"),
        ("x-registry-auth", "secret"),
        ("x-api-key", "secret"),
        ("connection", "x-custom, accept"),
        ("x-custom", "secret"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("referer", "http://localhost:5050/secret"),
        ("user-agent", "docker/secret"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ] {
        request = with(request, name, value);
    }
    assert_eq!(regpass.send(request).await.status, 200);
    let entries = sim.ledger().take();
    let mut names: Vec<&str> = entries[0].headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "traceparent", "user-agent", "via"]);
    assert_eq!(entries[0].headers["accept-encoding"], "identity");
    assert!(entries[0].headers["user-agent"].to_str().unwrap().starts_with("regpass/"));
}

#[tokio::test(start_paused = true)]
async fn what_a_registry_says_to_its_own_clients_stays_there() {
    let (_sim, registry, regpass) = start("").await;
    registry.registry().inject(crate::sim::Fault::alter(|_, reply| {
        [
            ("set-cookie", "id=1"),
            ("www-authenticate", "Basic realm=\"x\""),
            ("strict-transport-security", "max-age=1"),
            ("access-control-allow-origin", "*"),
            ("proxy-authenticate", "Basic"),
            ("keep-alive", "timeout=5"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("trailer", "x"),
            ("alt-svc", "h3=\":443\""),
            ("server", "nginx"),
            ("via", "1.1 cache"),
            ("location", "http://inner.example/"),
            ("docker-ratelimit-source", "192.0.2.1"),
            ("ratelimit-remaining", "99;w=21600"),
            ("oci-subject", "sha256:x"),
        ]
        .into_iter()
        .fold(reply, |reply, (name, value)| reply.header(name, value))
    }));
    let reply = regpass.get("/v2/acme/app/manifests/1").await;
    let mut names: Vec<&str> = reply.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "content-length",
        "content-type",
        "date",
        "docker-content-digest",
        "docker-distribution-api-version",
        "etag",
        "oci-subject",
        "ratelimit-remaining",
        "server-timing",
        "via",
    ];
    assert_eq!(names, expected);
    assert_eq!(reply.header("via"), Some("1.1 regpass"));
}

/// regpass behind a real listener whose address its own configuration may name.
fn listening(sim: &Sim, listener: TcpListener, text: &str) -> Regpass {
    let regpass = Regpass::start(sim, text);
    let never = std::future::pending();
    tokio::spawn(listen::serve(listener, regpass.handle(), never, std::time::Duration::ZERO));
    regpass
}

fn pointing_at(listener: &TcpListener) -> String {
    format!(
        "default_registry = \"loop.test\"\n[registry.\"loop.test\"]\nurl = \"http://{}\"",
        listener.local_addr().unwrap()
    )
}

#[tokio::test]
async fn a_registry_that_is_regpass_itself_is_a_loop() {
    let sim = Sim::loopback();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = pointing_at(&listener);
    let regpass = listening(&sim, listener, &text);
    let reply = regpass.get("/v2/acme/app/tags/list").await;
    assert_eq!(reply.status, 508, "{reply:?}");
    assert!(reply.error().1.contains("loop.test"), "{reply:?}");
    assert_eq!(regpass.metric("regpass_upstream_requests").len(), 1);
    assert_eq!(regpass.get("/v2/").await.status, 200);
}

#[tokio::test]
async fn two_that_point_at_each_other_are_a_loop_too() {
    let sim = Sim::loopback();
    let (one, two) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (to_one, to_two) = (pointing_at(&one), pointing_at(&two));
    let first = listening(&sim, one, &to_two);
    let second = listening(&sim, two, &to_one);
    let reply = tokio::time::timeout(std::time::Duration::from_secs(10), first.get("/v2/acme/app/tags/list")).await;
    assert_eq!(reply.expect("the loop is noticed").status, 508);
    for regpass in [first, second] {
        let sent = regpass.metric("regpass_upstream_requests");
        assert!(sent.len() == 1 && sent[0].ends_with(" 1"), "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn foreign_proxies_on_the_way_are_no_loop() {
    let (sim, _, regpass) = start("").await;
    let request = with(request(Method::GET, "/v2/acme/app/tags/list"), "via", "1.1 regpass, 1.1 squid");
    assert_eq!(regpass.send(request).await.status, 200);
    sim.ledger().expect(&[SEEN]);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_body_of_its_own_may_have_one_and_a_large_one_is_refused() {
    let (sim, _, regpass) = start("allow = [\"pull\", \"push\"]").await;
    let body = |method: Method, length: usize| {
        let target = "/v2/acme/app/manifests/1";
        let request = Request::builder().method(method).uri(target).header("host", "localhost");
        request.body(Bytes::from(vec![b'x'; length])).unwrap()
    };
    let reply = regpass.send(body(Method::PUT, 5 << 20)).await;
    assert_eq!(reply.verdict(), "413 SIZE_INVALID");
    assert_envelope(&reply, "413");
    sim.ledger().expect(&[]);
    assert_eq!(regpass.send(body(Method::GET, 10)).await.status, 200);
    assert_eq!(sim.ledger().take().len(), 1);
}

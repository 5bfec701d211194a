//! Headers that are forwarded in each direction, and request loops.

use http::Method;
use regpass::listen::socket::Socket;
use regpass::listen::{accept, connections::Connections, shutdown::ShutdownTrigger};
use tokio::net::TcpListener;

use super::{TAGS_REQUEST, start};
use crate::harness::{Regpass, request, single_registry_config, with_header};
use crate::sim::{AuthMode, Fault, Preset, Sim};

#[tokio::test(start_paused = true)]
async fn only_listed_request_headers_are_forwarded() {
    let (sim, _, regpass) = start("").await;
    sim.forbid_secret("secret");
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
        request = with_header(request, name, value);
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
async fn only_listed_response_headers_are_forwarded() {
    let (_sim, registry, regpass) = start("").await;
    registry.api().inject(Fault::alter(|_, reply| {
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
        "content-security-policy",
        "content-type",
        "cross-origin-resource-policy",
        "date",
        "docker-content-digest",
        "docker-distribution-api-version",
        "etag",
        "oci-subject",
        "ratelimit-remaining",
        "server-timing",
        "via",
        "x-content-type-options",
    ];
    assert_eq!(names, expected);
    assert_eq!(reply.header("via"), Some("1.1 regpass"));
}

/// regpass served at a real listener. The configuration `text` may name the listener's address as that of a registry.
fn start_listening(sim: &Sim, listener: TcpListener, text: &str) -> Regpass {
    let regpass = Regpass::start(sim, text);
    let socket = Socket::from_inherited_tcp(listener.into_std().unwrap()).unwrap();
    let (close, closing) = ShutdownTrigger::new();
    let serving = accept::serve(socket.into(), regpass.handle(), Connections::new(16), closing);
    tokio::spawn(async move {
        serving.await;
        drop(close);
    });
    regpass
}

/// A configuration whose default registry has the listener's address.
fn config_at(listener: &TcpListener) -> String {
    format!(
        "default_registry = \"loop.test\"\n[registry.\"loop.test\"]\nurl = \"http://{}\"",
        listener.local_addr().unwrap()
    )
}

#[tokio::test]
async fn registry_that_is_regpass_itself_is_508() {
    let sim = Sim::loopback();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = config_at(&listener);
    let regpass = start_listening(&sim, listener, &text);
    let reply = regpass.get("/v2/acme/app/tags/list").await;
    assert_eq!(reply.status, 508, "{reply:?}");
    assert!(reply.error().1.contains("loop.test"), "{reply:?}");
    assert_eq!(regpass.metric("regpass_upstream_requests").len(), 1);
    assert_eq!(regpass.get("/v2/").await.status, 200);
}

/// A registry on this machine may redirect to any address on this machine, so also to regpass.
#[tokio::test]
async fn redirect_to_regpass_is_508() {
    for target in ["manifests/1", "tags/list", &format!("blobs/sha256:{}", "0".repeat(64))] {
        let sim = Sim::loopback();
        let registry = sim.start(Preset::distribution(AuthMode::Open)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let back = format!("http://{}/v2/acme/app/{target}", listener.local_addr().unwrap());
        registry.api().inject(Fault::redirect(307, &back));
        let regpass = start_listening(&sim, listener, &single_registry_config(&registry, ""));
        let path = format!("/v2/acme/app/{target}");
        let reply = tokio::time::timeout(std::time::Duration::from_secs(10), regpass.get(&path)).await;
        let reply = reply.expect("the loop is detected");
        assert_eq!(reply.status, 508, "{target}: {reply:?}");
        assert_eq!(sim.ledger().count("registry", |_| true), 1, "{target}");
    }
}

#[tokio::test]
async fn two_instances_with_each_other_as_registry_are_508() {
    let sim = Sim::loopback();
    let (one, two) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (to_one, to_two) = (config_at(&one), config_at(&two));
    let first = start_listening(&sim, one, &to_two);
    let second = start_listening(&sim, two, &to_one);
    let reply = tokio::time::timeout(std::time::Duration::from_secs(10), first.get("/v2/acme/app/tags/list")).await;
    assert_eq!(reply.expect("the loop is detected").status, 508);
    for regpass in [first, second] {
        let sent = regpass.metric("regpass_upstream_requests");
        assert!(sent.len() == 1 && sent[0].ends_with(" 1"), "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn via_of_another_instance_is_no_loop() {
    let (sim, _, regpass) = start("").await;
    let request = with_header(request(Method::GET, "/v2/acme/app/tags/list"), "via", "1.1 regpass, 1.1 squid");
    assert_eq!(regpass.send(request).await.status, 200);
    sim.ledger().expect(&[TAGS_REQUEST]);
}

//! `absolute_locations`: URLs in responses with the scheme, host name and port by which the client came.

use bytes::Bytes;
use http::{Method, Request};

use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{AuthMode, Image, ImageFormat, Preset, Sim, sha256};
use crate::wire::send_raw;

const UPLOADS: &str = "/v2/acme/app/blobs/uploads/";

/// A registry that anybody may push to, behind a listener with these keys.
async fn start(listener: &str) -> (Sim, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::distribution(AuthMode::Open)).await;
    for tag in ["1", "2"] {
        registry.publish("acme/app", tag, &Image::single("app", ImageFormat::Docker));
    }
    let table = registry_table("reg.test", &registry, "allow = [\"pull\", \"push\"]\nalias = \"reg\"");
    let listener = format!("[[listener]]\nhosts = [\"regpass.corp.example\"]\n{listener}");
    let regpass = Regpass::start(&sim, &format!("default_registry = \"reg.test\"\n{listener}\n{table}"));
    (sim, regpass)
}

async fn send(regpass: &Regpass, host: &str, method: Method, target: &str, body: &'static str) -> Reply {
    let request = Request::builder().method(method).uri(target).header("host", host);
    // Any client can send these headers, so they do not count.
    let request = request.header("x-forwarded-host", "evil.example").header("x-forwarded-proto", "https");
    let request = request.header("forwarded", "host=evil.example;proto=https");
    regpass.send(request.body(Bytes::from_static(body.as_bytes())).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn locations_and_links_lead_to_the_host_of_the_request() {
    let tcp = "address = \"127.0.0.1:5050\"\nabsolute_locations = true";
    let tls = "address = \"127.0.0.1:5050\"\nabsolute_locations = true\ntls = { certificate = \"/c\", key = \"/k\" }";
    let socket = "address = \"unix:/run/regpass.sock\"\nabsolute_locations = true";
    let relative = "address = \"127.0.0.1:5050\"";
    for (listener, host, base) in [
        (tcp, "localhost:5050", "http://localhost:5050"),
        (tcp, "127.0.0.1:8080", "http://127.0.0.1:8080"),
        (tcp, "[::1]:5050", "http://[::1]:5050"),
        (tcp, "Regpass.corp.example", "http://Regpass.corp.example"),
        (tls, "regpass.corp.example:5443", "https://regpass.corp.example:5443"),
        (socket, "localhost", "http://localhost"),
        (socket, "", ""),
        (relative, "localhost:5050", ""),
    ] {
        let (_sim, regpass) = start(listener).await;
        let send = |method, target: &str, body| {
            let (regpass, target) = (&regpass, target.to_owned());
            async move { send(regpass, host, method, &target, body).await }
        };
        let location = |reply: &Reply| reply.header("location").unwrap_or_default().to_owned();
        let digest = sha256(b"blob");

        let started = location(&send(Method::POST, &format!("{UPLOADS}?ns=reg.test"), "").await);
        assert!(started.starts_with(&format!("{base}{UPLOADS}")) && started.ends_with("?ns=reg.test"), "{started}");
        let session = started.strip_prefix(base).unwrap();
        let patched = location(&send(Method::PATCH, session, "blob").await);
        let session = patched.strip_prefix(base).unwrap_or_else(|| panic!("{patched}"));
        let finished = send(Method::PUT, &format!("{session}&digest={digest}"), "").await;
        assert_eq!(location(&finished), format!("{base}/v2/acme/app/blobs/{digest}?ns=reg.test"));

        let image = Image::single("app", ImageFormat::Docker);
        let mut put = crate::harness::manifest_put("/v2/reg/acme/app/manifests/3", &image);
        put.headers_mut().insert("host", host.parse().unwrap());
        let pushed = location(&regpass.send(put).await);
        assert_eq!(pushed, format!("{base}/v2/reg/acme/app/manifests/{}", image.digest()));

        let listed = send(Method::GET, "/v2/acme/app/tags/list?n=1", "").await;
        let link = format!("<{base}/v2/acme/app/tags/list?last=1&n=1>; rel=\"next\"");
        assert_eq!(listed.header("link"), Some(&*link));
        let moved = send(Method::GET, "/v2/acme/app/tags/list/?n=1", "").await;
        assert_eq!(location(&moved), format!("{base}/v2/acme/app/tags/list?n=1"));
    }
}

#[tokio::test(start_paused = true)]
async fn host_that_is_no_authority_is_not_repeated() {
    let (_sim, regpass) = start("address = \"unix:/run/regpass.sock\"\nabsolute_locations = true").await;
    for host in ["evil@localhost", "a/b", "a?b", "a b", "\"<x>\"", "a,b/c"] {
        let lines = [&format!("POST {UPLOADS} HTTP/1.1"), &format!("Host: {host}"), "Content-Length: 0"];
        let reply = send_raw(&regpass, &lines).await;
        let location = reply.header("location").unwrap_or_default();
        assert!(reply.status == 400 || location.starts_with(UPLOADS), "{host}: {reply:?}");
    }
    // The target of a request may be absolute, and then counts instead of `Host`.
    let lines = [&format!("POST http://localhost:7{UPLOADS} HTTP/1.1"), "Host: localhost:8", "Content-Length: 0"];
    let reply = send_raw(&regpass, &lines).await;
    assert!(reply.header("location").unwrap().starts_with(&format!("http://localhost:7{UPLOADS}")), "{reply:?}");
}

//! Requests of clients: which are rejected, which regpass answers itself, and which headers it forwards.

mod connection_close;
mod forwarding;
mod hosts_and_origins;
mod local_replies;
mod paths;

use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{AuthMode, Image, ImageFormat, Preset, Registry, Sim};

const TAGS: &str = "GET /v2/acme/app/tags/list HTTP/1.1";

/// The request that the registry receives for [`TAGS`].
const TAGS_REQUEST: &str = "registry GET /v2/acme/app/tags/list anonymous 200";

async fn start(more: &str) -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::distribution(AuthMode::Open)).await;
    registry.publish("acme/app", "1", &Image::single("app", ImageFormat::Docker));
    let listener = "[[listener]]\naddress = \"127.0.0.1:5050\"\nhosts = [\"regpass\", \"dev.localhost\"]\n";
    let text = format!(
        "default_registry = \"reg.test\"\n{listener}{}",
        registry_table("reg.test", &registry, &format!("hosts = [\"reg.corp.example\"]\nalias = \"reg\"\n{more}"))
    );
    let regpass = Regpass::start(&sim, &text);
    (sim, registry, regpass)
}

/// Asserts an error document with all its fields, and the headers of [`assert_own_headers`].
fn assert_error_document(reply: &Reply, what: &str) {
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
    assert_own_headers(reply, what);
}

/// Asserts that the reply has the headers that regpass adds to every reply, and no CORS header, challenge or cookie.
fn assert_own_headers(reply: &Reply, what: &str) {
    assert_eq!(reply.header("via"), Some("1.1 regpass"), "{what}");
    assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"), "{what}");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert_eq!(reply.header("content-security-policy"), Some("sandbox; default-src 'none'"), "{what}");
    assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"), "{what}");
    let timing = reply.header("server-timing").unwrap_or_default();
    assert!(timing.starts_with("auth;desc=") && timing.contains("upstream;dur="), "{what}: {timing}");
    for name in reply.headers.keys().map(http::HeaderName::as_str) {
        let forbidden = name.starts_with("access-control-") || ["www-authenticate", "set-cookie"].contains(&name);
        assert!(!forbidden, "{what}: {name}");
    }
}

//! The front door: what a stranger, a web page or a broken client may send, and that none of it travels on.

mod admission;
mod closing;
mod forwarding;
mod requests;

use crate::harness::{Regpass, Reply, table};
use crate::sim::{Family, Image, Mode, Preset, Registry, Sim};

const TAGS: &str = "GET /v2/acme/app/tags/list HTTP/1.1";

const SEEN: &str = "registry GET /v2/acme/app/tags/list anonymous 200";

async fn start(more: &str) -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::distribution(Mode::Open)).await;
    registry.publish("acme/app", "1", &Image::single("app", Family::Docker));
    let listener = "[[listener]]\naddress = \"127.0.0.1:5050\"\nhosts = [\"regpass\", \"dev.localhost\"]\n";
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

//! Silent, slow, vanished and misbehaving registries and clients: every wait ends.

mod clients;
mod closed_connections;
mod registries;

use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{AuthMode, Image, ImageFormat, Preset, Registry, Sim};

const TAGS: &str = "/v2/acme/app/tags/list";

async fn start_registry(sim: &Sim, name: &str) -> Registry {
    let registry = sim.start(Preset::distribution(AuthMode::Open).named(name)).await;
    registry.publish("acme/app", "1", &Image::single("app", ImageFormat::Docker));
    registry
}

/// Two registries, `one` and `other`, and regpass in front of them; `one` is the default registry.
async fn start_two(sim: &Sim) -> (Registry, Registry, Regpass) {
    let (one, other) = (start_registry(sim, "one").await, start_registry(sim, "other").await);
    let more = "alias = \"one\"\nallow = [\"pull\", \"push\"]";
    let tables =
        [registry_table("one.example", &one, more), registry_table("other.example", &other, "alias = \"other\"")];
    let regpass = Regpass::start(sim, &format!("default_registry = \"one.example\"\n{}", tables.concat()));
    (one, other, regpass)
}

/// A configuration with `gone.example` at this URL as the default registry.
fn config_at(url: &str) -> String {
    format!("default_registry = \"gone.example\"\n[registry.\"gone.example\"]\nurl = \"{url}\"")
}

/// Asserts an error with this status that names the registry and blames it.
#[track_caller]
fn assert_outage(reply: &Reply, status: u16, registry: &str) {
    assert_eq!(reply.status_and_code(), format!("{status} UNAVAILABLE"));
    let error = reply.json()["errors"][0].clone();
    assert_eq!(
        (error["detail"]["registry"].as_str(), error["detail"]["step"].as_str()),
        (Some(registry), Some("registry"))
    );
    assert_eq!(error["detail"]["blame"], "registry");
    assert!(error["message"].as_str().unwrap().contains(registry), "{error}");
}

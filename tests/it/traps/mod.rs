//! Networks as they are: silent, slow, gone, half-closed and full of nonsense. No wait without an end.

mod clients;
mod registries;

use crate::harness::{Regpass, Reply, table};
use crate::sim::{Family, Image, Mode, Preset, Registry, Sim};

const TAGS: &str = "/v2/acme/app/tags/list";

async fn registry(sim: &Sim, name: &str) -> Registry {
    let registry = sim.start(Preset::distribution(Mode::Open).named(name)).await;
    registry.publish("acme/app", "1", &Image::single("app", Family::Docker));
    registry
}

/// Two registries, the first of them the default.
async fn two(sim: &Sim) -> (Registry, Registry, Regpass) {
    let (one, other) = (registry(sim, "one").await, registry(sim, "other").await);
    let more = "alias = \"one\"\nallow = [\"pull\", \"push\"]";
    let tables = [table("one.example", &one, more), table("other.example", &other, "alias = \"other\"")];
    let regpass = Regpass::start(sim, &format!("default_registry = \"one.example\"\n{}", tables.concat()));
    (one, other, regpass)
}

fn at(url: &str) -> String {
    format!("default_registry = \"gone.example\"\n[registry.\"gone.example\"]\nurl = \"{url}\"")
}

/// A 502, 503 or 504 that says which registry, at which step, and whose fault.
#[track_caller]
fn assert_outage(reply: &Reply, status: u16, registry: &str) {
    assert_eq!(reply.verdict(), format!("{status} UNAVAILABLE"));
    let error = reply.json()["errors"][0].clone();
    assert_eq!(
        (error["detail"]["registry"].as_str(), error["detail"]["step"].as_str()),
        (Some(registry), Some("registry"))
    );
    assert_eq!(error["detail"]["blame"], "registry");
    assert!(error["message"].as_str().unwrap().contains(registry), "{error}");
}

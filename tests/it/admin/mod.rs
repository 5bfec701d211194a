//! The admin listener: whether regpass is alive and ready, and what it tells about itself.

mod documented;
mod endpoints;
mod health;
mod images;
mod metrics;
mod page;
mod secrecy;
mod told;

use serde_json::Value;

use crate::harness::{Regpass, table};
use crate::sim::{Family, Image, Preset, Registry, Sim};

const APP: &str = "/v2/docker.io/team/app/manifests/1";

/// Two registries with one image each: one that counts pulls, and a plain one.
struct Scene {
    sim: Sim,
    hub: Registry,
    corp: Registry,
    regpass: Regpass,
}

impl Scene {
    /// `hub` and `corp` go into the tables of the two.
    async fn new(hub: &str, corp: &str) -> Self {
        let sim = Sim::memory();
        let (first, second) = (sim.start(Preset::docker_hub()).await, sim.start(Preset::generic()).await);
        for registry in [&first, &second] {
            registry.user("alice", "alices-password");
            registry.publish("team/app", "1", &Image::multi_arch("app", Family::Oci));
        }
        let text = table("docker.io", &first, hub) + &table("corp.example:5000", &second, corp);
        let regpass = Regpass::start(&sim, &text);
        regpass.listens();
        Self { sim, hub: first, corp: second, regpass }
    }

    async fn pull(&self) {
        let reply = self.regpass.get(APP).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// `/status.json`'s entry of a registry.
    async fn registry(&self, host: &str) -> Value {
        let status = self.regpass.status().await;
        let registries = status["registries"].as_array().unwrap();
        registries.iter().find(|registry| registry["host"] == host).cloned().unwrap_or_else(|| panic!("{status:#}"))
    }

    async fn page(&self) -> String {
        let reply = self.regpass.admin("/").await;
        assert_eq!(reply.status, 200);
        String::from_utf8(reply.body.to_vec()).unwrap()
    }
}

/// One of the values `page` shows below a heading, without markup.
fn words(page: &str) -> String {
    let mut words = String::new();
    let mut inside = false;
    for c in page.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => words.push(c),
            _ => {}
        }
    }
    words
}

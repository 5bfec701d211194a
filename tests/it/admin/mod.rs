//! The admin listener: health probes, metrics, `/status.json` and the status page.

mod egress;
mod endpoints;
mod health;
mod images;
mod metrics;
mod page;
mod redaction;
mod status;
mod status_fields;

use serde_json::Value;

use crate::harness::{Regpass, registry_table};
use crate::sim::{Image, ImageFormat, Preset, Registry, Sim};

const APP: &str = "/v2/docker.io/team/app/manifests/1";

/// regpass in front of two registries with one image each: `hub` has a pull limit, `corp` has none.
struct TwoRegistries {
    sim: Sim,
    hub: Registry,
    corp: Registry,
    regpass: Regpass,
}

impl TwoRegistries {
    /// Adds the configuration keys in `hub` and `corp` to the tables of these two registries.
    async fn start(hub: &str, corp: &str) -> Self {
        let sim = Sim::memory();
        let (first, second) = (sim.start(Preset::docker_hub()).await, sim.start(Preset::generic()).await);
        for registry in [&first, &second] {
            registry.add_user("alice", "alices-password");
            registry.publish("team/app", "1", &Image::multi_arch("app", ImageFormat::Oci));
        }
        let text = registry_table("docker.io", &first, hub) + &registry_table("corp.example:5000", &second, corp);
        let regpass = Regpass::start(&sim, &text);
        regpass.report_listening();
        Self { sim, hub: first, corp: second, regpass }
    }

    async fn pull(&self) {
        let reply = self.regpass.get(APP).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// The entry of a registry in `/status.json`.
    async fn registry(&self, host: &str) -> Value {
        let status = self.regpass.status().await;
        let registries = status["registries"].as_array().unwrap();
        registries.iter().find(|registry| registry["host"] == host).cloned().unwrap_or_else(|| panic!("{status:#}"))
    }

    async fn page(&self) -> String {
        let reply = self.regpass.get_admin("/").await;
        assert_eq!(reply.status, 200);
        String::from_utf8(reply.body.to_vec()).unwrap()
    }
}

/// The text of an HTML page, without its tags.
fn text_of(page: &str) -> String {
    let mut text = String::new();
    let mut inside_tag = false;
    for c in page.chars() {
        match c {
            '<' => inside_tag = true,
            '>' => inside_tag = false,
            c if !inside_tag => text.push(c),
            _ => {}
        }
    }
    text
}

//! The stage: the strict simulator at the end of a slow line, and regpass in front of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use crate::image::{Image, Platform};
use crate::process::output;
use crate::push::ALLOW;
use crate::push::held::assert_layers;
use crate::registry::{PASSWORD, USER};
use crate::regpass::Regpass;
use crate::sim::{Entry, Locations, Pace, Preset, Registry, Relay, Role, Rule, Sim};

/// How long a token works.
const LIFE: Duration = Duration::from_secs(2);

/// How many lives the layer takes.
const LIVES: u32 = 10;

/// Larger than what the kernel holds for regpass, so that regpass sees how slow the line is.
pub(super) const LAYER: usize = 2 << 20;

pub(super) struct Line {
    regpass: Regpass,
    registry: Registry,
    sim: Sim,
    _relay: Relay,
    _secrets: TempDir,
    home: TempDir,
}

impl Line {
    pub(super) async fn set() -> Self {
        let sim = Sim::loopback();
        let mut preset = Preset::generic().lifetime(LIFE);
        // Else they would name the registry itself, past the line.
        preset.push.locations = Locations::RelativeWithState;
        let registry = sim.start(preset).await;
        registry.user(USER, PASSWORD);
        // The line has an address of its own, so the registry is called by that.
        sim.allow(Rule::ForeignHost);
        let up = LAYER as u64 / (u64::from(LIVES) * LIFE.as_secs());
        let relay = Relay::start(registry.authority(), Pace { up: Some(up), ..Pace::default() });

        let secrets = tempfile::tempdir().expect("a directory for secrets");
        let file = secrets.path().join("password");
        fs::write(&file, PASSWORD).expect("the password");
        let config = format!(
            r#"
            [[listener]]
            address = "127.0.0.1:0"

            [registry."slow.test"]
            alias = "slow"
            url = "http://{relay}"
            credential = {{ source = "password", username = "{USER}", password = {{ file = "{file}" }} }}
            realm_hosts = ["{tokens}"]
            "#,
            relay = relay.authority(),
            tokens = registry.token().authority(),
            file = file.display(),
        );
        let regpass = Regpass::start(&(ALLOW.to_owned() + &config)).await;
        let home = tempfile::tempdir().expect("a directory for the client");
        Self { regpass, registry, sim, _relay: relay, _secrets: secrets, home }
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What a client calls the image.
    pub(super) fn name(&self) -> String {
        self.regpass.image("slow/team/app:1")
    }

    /// Lets a client push the image, and judges.
    pub(super) async fn carries(&self, image: &Image, push: &mut Command) {
        let begin = Instant::now();
        output(push).await;
        let took = begin.elapsed();
        assert!(took >= LIFE * LIVES, "too fast to tell anything: {took:?}");
        self.assert_held(&image.platforms[0]);

        let entries = self.sim.ledger().entries();
        let lines = || entries.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ");
        let refused =
            |entry: &&Entry| entry.status.is_some_and(|status| status.is_client_error() && !is_missing(status));
        let refusals: Vec<_> = entries.iter().filter(refused).collect();
        let first = entries.iter().position(|entry| entry.role == Role::Token).expect("a token");
        let late = entries[first..].iter().find(refused);
        assert!(refusals.len() <= 1 && late.is_none(), "refused after the first challenge: {late:?}\n  {}", lines());
        let tokens = entries[first..].iter().filter(|entry| entry.role == Role::Token).count();
        assert!(tokens >= 2, "{tokens} token requests for ten lives\n  {}", lines());
    }

    /// No rule of the simulator was broken.
    pub(super) fn close(self) {
        self.sim.finish();
    }

    /// The registry has the image, every byte of it.
    fn assert_held(&self, platform: &Platform) {
        let held = self.registry.store().read("team/app", |repository| {
            let manifest = &repository.manifest("1").expect("the tag").bytes;
            let manifest: Value = serde_json::from_slice(manifest).expect("JSON");
            let digest = |descriptor: &Value| descriptor["digest"].as_str().expect("a digest").to_owned();
            let layers: Vec<String> = manifest["layers"].as_array().expect("layers").iter().map(digest).collect();
            let blobs = layers.iter().map(|layer| repository.blobs[layer].slice().to_bytes().to_vec()).collect();
            (digest(&manifest["config"]), layers, blobs)
        });
        let (config, layers, blobs): (String, Vec<String>, Vec<Vec<u8>>) = held.expect("the repository");
        assert_eq!(config, platform.config);
        assert_layers(&layers, &blobs, platform);
    }
}

/// What clients ask for first: whether a blob is there already.
fn is_missing(status: StatusCode) -> bool {
    status == StatusCode::NOT_FOUND
}

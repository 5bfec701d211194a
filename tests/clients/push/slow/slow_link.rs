//! A strict simulated registry at the end of a slow link, and regpass in front of it.

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
use crate::push::stored_image::assert_layers;
use crate::registry::{PASSWORD, USER};
use crate::regpass::Regpass;
use crate::sim::{Entry, LinkSpeed, Locations, Preset, Registry, Relay, Role, Rule, Sim};

/// Lifetime of a token.
const TOKEN_LIFETIME: Duration = Duration::from_secs(2);

/// Number of token lifetimes that the upload of the layer lasts.
const LIFETIMES_PER_LAYER: u32 = 10;

/// Size of the layer in bytes: larger than the kernel's socket buffers, so that regpass notices how slow the link is.
pub(super) const LAYER_SIZE: usize = 2 << 20;

pub(super) struct SlowLink {
    regpass: Regpass,
    registry: Registry,
    sim: Sim,
    _relay: Relay,
    _secrets: TempDir,
    home: TempDir,
}

impl SlowLink {
    pub(super) async fn start() -> Self {
        let sim = Sim::loopback();
        let mut preset = Preset::generic().lifetime(TOKEN_LIFETIME);
        // Absolute upload locations would name the registry itself and bypass the link.
        preset.push.locations = Locations::RelativeWithState;
        let registry = sim.start(preset).await;
        registry.add_user(USER, PASSWORD);
        // regpass reaches the registry by the address of the link, which is therefore in the Host header.
        sim.allow(Rule::ForeignHost);
        let up = LAYER_SIZE as u64 / (u64::from(LIFETIMES_PER_LAYER) * TOKEN_LIFETIME.as_secs());
        let relay = Relay::start(registry.authority(), LinkSpeed { up: Some(up), ..LinkSpeed::default() });

        let secrets = tempfile::tempdir().expect("a directory for secrets");
        let file = secrets.path().join("password");
        fs::write(&file, PASSWORD).expect("the password is written");
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
            tokens = registry.token_service().authority(),
            file = file.display(),
        );
        let regpass = Regpass::start(&(ALLOW.to_owned() + &config)).await;
        let home = tempfile::tempdir().expect("a directory for the client");
        Self { regpass, registry, sim, _relay: relay, _secrets: secrets, home }
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The name by which the client pushes the image.
    pub(super) fn image_name(&self) -> String {
        self.regpass.image("slow/team/app:1")
    }

    /// Runs a client's push of `image`, then checks what the registry stored and which requests it rejected.
    pub(super) async fn assert_pushes(&self, image: &Image, push: &mut Command) {
        let start = Instant::now();
        output(push).await;
        let duration = start.elapsed();
        assert!(duration >= TOKEN_LIFETIME * LIFETIMES_PER_LAYER, "too fast to prove anything: {duration:?}");
        self.assert_stored(&image.platforms[0]);

        let entries = self.sim.ledger().entries();
        let requests = || entries.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ");
        // Clients ask first whether a blob exists, so a 404 is expected.
        let is_rejected = |entry: &&Entry| {
            entry.status.is_some_and(|status| status.is_client_error() && status != StatusCode::NOT_FOUND)
        };
        let rejections = entries.iter().filter(is_rejected).count();
        let first_token = entries.iter().position(|entry| entry.role == Role::TokenService).expect("a token request");
        let late = entries[first_token..].iter().find(is_rejected);
        assert!(rejections <= 1 && late.is_none(), "rejected after the first token: {late:?}\n  {}", requests());
        let tokens = entries[first_token..].iter().filter(|entry| entry.role == Role::TokenService).count();
        assert!(tokens >= 2, "{tokens} token requests in ten lifetimes\n  {}", requests());
    }

    /// Checks that no rule of the simulator was broken.
    pub(super) fn finish(self) {
        self.sim.finish();
    }

    /// Checks every byte of the image that the registry stored.
    fn assert_stored(&self, platform: &Platform) {
        let stored = self.registry.store().read("team/app", |repository| {
            let manifest = &repository.manifest("1").expect("the tag").bytes;
            let manifest: Value = serde_json::from_slice(manifest).expect("JSON");
            let digest = |descriptor: &Value| descriptor["digest"].as_str().expect("a digest").to_owned();
            let layers: Vec<String> = manifest["layers"].as_array().expect("layers").iter().map(digest).collect();
            let blobs = layers.iter().map(|layer| repository.blobs[layer].slice().to_bytes().to_vec()).collect();
            (digest(&manifest["config"]), layers, blobs)
        });
        let (config, layers, blobs): (String, Vec<String>, Vec<Vec<u8>>) = stored.expect("the repository");
        assert_eq!(config, platform.config);
        assert_layers(&layers, &blobs, platform);
    }
}

//! One simulated registry as its preset describes it, with regpass in front of it.

use http::Method;

use crate::harness::{Regpass, Reply, manifest_put, request, single_registry_config};
use crate::sim::{Capabilities, Catalog, HubApi, Image, Owner, PackagesApi, Preset, Registry, Sim};
use crate::uploads::{location_of, request_with_body, with_digest};

/// A registry with the image as tag `1` in a public repository and, if the preset has a credential, in a private one; and
/// regpass in front of it.
pub struct RegistrySetup {
    pub sim: Sim,
    pub registry: Registry,
    pub regpass: Regpass,
    pub image: Image,
    pub capabilities: Capabilities,
}

/// The line of a registry's table in the configuration that allows all operations.
pub const ALLOW_ALL: &str = "allow = [\"pull\", \"push\", \"delete\"]";

impl RegistrySetup {
    /// `more` is added to the registry's table, which has no credential otherwise.
    pub async fn start(preset: Preset, image: Image, more: &str) -> Self {
        Box::pin(Self::start_with("", preset, image, more)).await
    }

    /// As [`start`](Self::start), with `top` before all tables of the configuration.
    pub async fn start_with(top: &str, preset: Preset, image: Image, more: &str) -> Self {
        let sim = Sim::memory();
        let capabilities = preset.capabilities.clone();
        let registry = Box::pin(sim.start(preset)).await;
        registry.add_sample_content("1", &image);
        let more = format!("{}\n{more}", vendor_api_line(&sim, &registry).await);
        let text = format!("{top}\n{}", single_registry_config(&registry, &more));
        let regpass = Regpass::start(&sim, &text);
        Self { sim, registry, regpass, image, capabilities }
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.regpass.get(target).await
    }

    /// Sends a request without a body.
    pub async fn send(&self, method: Method, target: &str) -> Reply {
        self.regpass.send(request(method, target)).await
    }

    /// Pushes the image's manifest to the private repository, as tag `2`.
    pub async fn push_manifest(&self) -> Reply {
        self.regpass.send(manifest_put(&self.private_path("manifests/2"), &self.image)).await
    }

    /// Finishes an upload with a PUT of the whole blob. `started` is the reply to the POST that started the upload.
    pub async fn put_blob(&self, started: &Reply, blob: &'static [u8]) -> Reply {
        let target = with_digest(&location_of(started), blob);
        self.regpass.send(request_with_body(Method::PUT, &target, blob)).await
    }

    /// The name of the repository that needs the credential, if the preset has a credential.
    pub fn private_repository(&self) -> &'static str {
        self.capabilities.private_repository
    }

    pub fn public_repository(&self) -> &'static str {
        self.capabilities.public_repository
    }

    /// The path below the private repository: `/v2/<name>/<rest>`.
    pub fn private_path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.private_repository())
    }

    pub fn private_manifest(&self) -> String {
        manifest_path(self.private_repository())
    }

    pub fn public_manifest(&self) -> String {
        manifest_path(self.public_repository())
    }

    /// The path at which uploads to the private repository start.
    pub fn private_uploads(&self) -> String {
        self.private_path("blobs/uploads/")
    }

    /// The path of the image's first layer in the private repository.
    pub fn private_layer(&self) -> String {
        self.layer_path(self.private_repository())
    }

    /// The path of the image's first layer in this repository.
    pub fn layer_path(&self, repository: &str) -> String {
        format!("/v2/{repository}/blobs/{}", self.image.blobs[0].digest)
    }

    /// Pulls a manifest, so that regpass knows the challenge and has a token, and empties the ledger.
    pub async fn warm_with(&self, target: &str) {
        let reply = self.get(target).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.sim.ledger().take();
    }

    /// As [`warm_with`](Self::warm_with), with the private repository's manifest.
    pub async fn warm(&self) {
        self.warm_with(&self.private_manifest()).await;
    }

    /// Asserts that exactly these requests have reached the simulated servers since the ledger was emptied, and empties it.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        self.sim.ledger().expect(lines);
    }
}

/// The line of a registry's table for its vendor's API, which is started here; empty if the preset has none. The preset's
/// user may do everything.
async fn vendor_api_line(sim: &Sim, registry: &Registry) -> String {
    let capabilities = registry.preset().capabilities.clone();
    if capabilities.catalog == Catalog::OwnNamespaces {
        return HubApi::start(sim, registry).await.table_line();
    }
    if !capabilities.deletes_over_vendor_api {
        return String::new();
    }
    let api = PackagesApi::start(sim, registry).await;
    let owner = capabilities.private_repository.split('/').next().unwrap_or_default();
    api.add_owner(owner, Owner::User);
    if let Some((_, token)) = capabilities.credential {
        api.add_token(token, &["read:packages", "delete:packages"]);
    }
    api.table_line()
}

/// The path of the manifest with tag `1`.
pub fn manifest_path(repository: &str) -> String {
    format!("/v2/{repository}/manifests/1")
}

/// The line of a registry's table for the credential of the preset; empty if the preset has none.
pub fn preset_credential(preset: &Preset) -> String {
    preset.capabilities.credential.map_or(String::new(), |(user, password)| password_credential(user, password))
}

/// The line of a registry's table for this user name and password.
pub fn password_credential(user: &str, password: &str) -> String {
    format!("credential = {{ source = \"password\", username = '{user}', password = \"{password}\" }}")
}

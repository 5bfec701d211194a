//! Credentials that a cloud issues: how each source obtains one, how it is renewed, and what happens when the cloud fails.

mod azure;
pub mod ecr;
mod failures;
mod google;
mod redaction;
mod renewal;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use regpass::credential::environment::Environment;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Regpass, single_registry_config};
use crate::sim::{Azure, Directory, Google, Image, ImageFormat, Preset, Registry, Sim};

/// A manifest of a private repository: a pull succeeds only with a credential.
pub const APP: &str = "/v2/acme/images/app/manifests/1";

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().copied())
}

async fn start_registry(sim: &Sim, mut preset: Preset, host: &str) -> Registry {
    preset.host = host.to_owned();
    let registry = sim.start(preset).await;
    registry.publish_private("acme/images/app", "1", &Image::single("app", ImageFormat::Oci));
    registry
}

/// Google with one of its registries, and a folder for key files.
pub struct GoogleSetup {
    pub sim: Sim,
    pub registry: Registry,
    pub google: Google,
    pub folder: TempDir,
}

impl GoogleSetup {
    pub async fn new() -> Self {
        let sim = Sim::memory();
        let registry = start_registry(&sim, Preset::google(), "europe-docker.pkg.dev").await;
        let google = Google::start(&sim, &registry).await;
        Self { google, registry, sim, folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Writes a key file, and makes a configuration that names it.
    fn config_with_key(&self, key: &Value) -> String {
        let file = self.write("key.json", &key.to_string());
        single_registry_config(
            &self.registry,
            &format!("credential = {{ source = \"google\", key_file = \"{file}\" }}"),
        )
    }

    /// regpass with a key file.
    fn start_with_key(&self, key: &Value) -> Regpass {
        Regpass::start(&self.sim, &self.config_with_key(key))
    }

    /// regpass with the service account's key.
    pub fn start_with_service_account(&self) -> Regpass {
        self.start_with_key(&self.google.service_account(self.google.key()))
    }

    /// regpass without any key, so that it uses the metadata server.
    fn start_without_key(&self) -> Regpass {
        Regpass::start(&self.sim, &single_registry_config(&self.registry, "credential = { source = \"google\" }"))
    }
}

/// Azure with a directory and one of its registries.
pub struct AzureSetup {
    pub sim: Sim,
    pub registry: Registry,
    pub azure: Azure,
    pub directory: Directory,
}

impl AzureSetup {
    pub async fn new() -> Self {
        Self::with_registry("team.azurecr.io", "https://containerregistry.azure.net").await
    }

    async fn with_registry(host: &str, audience: &'static str) -> Self {
        let sim = Sim::memory();
        let registry = start_registry(&sim, Preset::acr(), host).await;
        let azure = Azure::start(&sim, &registry, audience);
        let directory = azure.directory(&sim, "login.test").await;
        Self { sim, registry, azure, directory }
    }

    fn config(&self) -> String {
        single_registry_config(&self.registry, "credential = { source = \"azure\" }")
    }

    /// The environment of a service principal.
    fn service_principal(&self) -> Environment {
        environment(&[
            ("AZURE_CLIENT_SECRET", Azure::SECRET),
            ("AZURE_CLIENT_ID", Azure::CLIENT),
            ("AZURE_TENANT_ID", Azure::TENANT),
            ("AZURE_AUTHORITY_HOST", &self.directory.0.origin()),
        ])
    }

    /// regpass as a service principal.
    pub fn start_with_secret(&self) -> Regpass {
        self.start(self.service_principal())
    }

    fn start(&self, environment: Environment) -> Regpass {
        Regpass::start_with_environment(&self.sim, &self.config(), environment)
    }
}

/// A file with a federated token, in a folder that is removed when dropped.
fn write_token_file(token: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, token).unwrap();
    (folder, file)
}

/// The error message of a pull that fails because the cloud issues no credential.
async fn failed_pull_message(regpass: &Regpass) -> String {
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status_and_code(), "502 UNAUTHORIZED", "{reply:?}");
    reply.error().1
}

/// The number of requests that each of these servers received since the ledger was emptied.
fn request_counts(sim: &Sim, servers: &[&str]) -> Vec<usize> {
    servers.iter().map(|server| sim.ledger().count(server, |_| true)).collect()
}

/// Asserts that 100 simultaneous pulls succeed.
async fn assert_simultaneous_pulls_succeed(regpass: &Regpass) {
    let replies = join_all((0..100).map(|_| regpass.get(APP))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
}

/// Asserts that a pull still succeeds after the registry has revoked the issued credential and all tokens.
async fn assert_revoked_credential_is_replaced(registry: &Registry, regpass: &Regpass) {
    assert_eq!(regpass.get(APP).await.status, 200);
    registry.users().revoke_temporary();
    registry.revoke_tokens();
    assert_eq!(regpass.get(APP).await.status, 200);
}

const HOUR: Duration = Duration::from_secs(3600);

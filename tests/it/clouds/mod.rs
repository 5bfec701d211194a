//! Logins that a cloud lends, through the proxy: how each source has one, how long it lasts, and what trouble does.

mod azure;
pub mod ecr;
mod google;
mod lasting;
mod secrecy;
mod trouble;

use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use regpass::credential::environment::Environment;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Regpass, only};
use crate::sim::{Azure, Directory, Family, Google, Image, Preset, Registry, Sim};

/// Private: whoever sees it has a login.
pub const APP: &str = "/v2/acme/images/app/manifests/1";

/// Environment variables.
fn variables(variables: &[(&str, &str)]) -> Environment {
    Environment::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
}

async fn registry(sim: &Sim, mut preset: Preset, host: &str) -> Registry {
    preset.host = host.to_owned();
    let registry = sim.start(preset).await;
    registry.keep("acme/images/app", "1", &Image::single("app", Family::Oci));
    registry
}

/// Google, one of its registries, and a folder for key files.
pub struct Scene {
    pub sim: Sim,
    pub registry: Registry,
    pub google: Google,
    pub folder: TempDir,
}

impl Scene {
    pub async fn new() -> Self {
        let sim = Sim::memory();
        let registry = registry(&sim, Preset::google(), "europe-docker.pkg.dev").await;
        let google = Google::start(&sim, &registry).await;
        Self { google, registry, sim, folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A configuration with a key file in it.
    fn keyed(&self, key: &Value) -> String {
        let file = self.write("key.json", &key.to_string());
        only(&self.registry, &format!("credential = {{ source = \"google\", key_file = \"{file}\" }}"))
    }

    /// regpass with a key file.
    fn with_key(&self, key: &Value) -> Regpass {
        Regpass::start(&self.sim, &self.keyed(key))
    }

    /// regpass with the service account's key.
    pub fn with_account(&self) -> Regpass {
        self.with_key(&self.google.service_account(self.google.key()))
    }

    /// regpass with nothing but the machine it runs on.
    fn on_machine(&self) -> Regpass {
        Regpass::start(&self.sim, &only(&self.registry, "credential = { source = \"google\" }"))
    }
}

/// Azure with a directory, and one of its registries.
pub struct AzureScene {
    pub sim: Sim,
    pub registry: Registry,
    pub azure: Azure,
    pub directory: Directory,
}

impl AzureScene {
    pub async fn new() -> Self {
        Self::of("team.azurecr.io", "https://containerregistry.azure.net").await
    }

    async fn of(host: &str, audience: &'static str) -> Self {
        let sim = Sim::memory();
        let registry = registry(&sim, Preset::acr(), host).await;
        let azure = Azure::start(&sim, &registry, audience);
        let directory = azure.directory(&sim, "login.test").await;
        Self { sim, registry, azure, directory }
    }

    fn config(&self) -> String {
        only(&self.registry, "credential = { source = \"azure\" }")
    }

    /// What a service principal has around it.
    fn principal(&self) -> Environment {
        variables(&[
            ("AZURE_CLIENT_SECRET", Azure::SECRET),
            ("AZURE_CLIENT_ID", Azure::CLIENT),
            ("AZURE_TENANT_ID", Azure::TENANT),
            ("AZURE_AUTHORITY_HOST", &self.directory.0.origin()),
        ])
    }

    /// regpass as a service principal.
    pub fn with_secret(&self) -> Regpass {
        Regpass::start_in(&self.sim, &self.config(), self.principal())
    }
}

/// The message of a pull that fails because there is no login.
async fn complaint(regpass: &Regpass) -> String {
    let reply = regpass.get(APP).await;
    assert_eq!(reply.verdict(), "502 UNAUTHORIZED", "{reply:?}");
    reply.error().1
}

/// How many requests each of these servers saw, beginning with the ledger's last emptying.
fn calls(sim: &Sim, servers: &[&str]) -> Vec<usize> {
    servers.iter().map(|server| sim.ledger().count(server, |_| true)).collect()
}

const HOUR: Duration = Duration::from_secs(3600);

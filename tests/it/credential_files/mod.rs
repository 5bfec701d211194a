//! Files with credentials as they are found in the wild: every form of docker's file, every encoding, and what regpass
//! reports of a source that has nothing for a registry.

mod absences;
mod docker_forms;
mod encodings;

use std::path::PathBuf;

use regpass::credential::environment::Environment;
use tempfile::TempDir;

use crate::credentials::{password, start, token_authorizations};
use crate::harness::{Regpass, single_registry_config};
use crate::log::Log;
use crate::sim::{Preset, Registry, Sim};

const SECRET: &str = "/v2/team/secret/manifests/1";

/// A simulated registry `generic.test`, and a folder with the files that the configuration names.
struct Setup {
    sim: Sim,
    registry: Registry,
    folder: TempDir,
}

impl Setup {
    async fn new() -> Self {
        let sim = Sim::memory();
        let registry = start(&sim, Preset::generic()).await;
        Self { sim, registry, folder: tempfile::tempdir().unwrap() }
    }

    /// Writes a file; returns its path.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes a docker file; returns the configuration key `credential` that names it.
    fn docker_file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        format!("credential = {{ source = \"docker\", file = \"{}\" }}", self.write(name, content).display())
    }

    /// Starts regpass with `more` in the registry's table.
    fn regpass(&self, more: &str) -> Regpass {
        Regpass::start(&self.sim, &single_registry_config(&self.registry, more))
    }

    /// As [`regpass`](Self::regpass), with these environment variables, and the folder as `HOME` and `PATH`.
    fn regpass_with_variables(&self, more: &str, variables: &[(&str, &str)]) -> Regpass {
        let folder = self.folder.path().to_str().unwrap();
        let own = [("HOME", folder), ("PATH", folder)];
        let environment = Environment::new(variables.iter().chain(&own).copied());
        Regpass::start_with_environment(&self.sim, &single_registry_config(&self.registry, more), environment)
    }

    /// Asserts that a pull of the private `team/secret` succeeds with a token for alice, and with no other request.
    async fn assert_pull_as_alice(&self, regpass: &Regpass, what: &str) {
        let reply = regpass.get(SECRET).await;
        assert_eq!(reply.status, 200, "{what}: {reply:?}");
        self.sim.ledger().expect(&[
            "registry GET /v2/team/secret/manifests/1 anonymous 401",
            "token GET /token?service=generic.test&scope=repository:team/secret:pull basic:alice 200",
            "registry GET /v2/team/secret/manifests/1 bearer#1 200",
        ]);
    }
}

/// The text in UTF-16, little endian, after a byte order mark, as PowerShell 5.1 writes it.
fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

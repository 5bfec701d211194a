//! What a plain client gets through regpass for behaviour that few registries have, one file per registry.

mod acr;
mod artifactory;
mod detection;
mod distribution;
mod ecr;
mod ecr_public;
mod gitea;
mod gitlab;
mod google;
mod harbor;
mod hosted;
mod kubernetes;
mod mcr;
mod ngc;
mod quay;
mod scarf;
mod zot;

use crate::harness::{Regpass, single_registry_config};
use crate::registry_setup::{RegistrySetup, preset_credential};
use crate::sim::{Image, ImageFormat, Preset};

impl RegistrySetup {
    /// A registry without a credential, whose host no profile lists. `more` is added to its table.
    async fn without_credential(preset: Preset, more: &str) -> Self {
        Box::pin(Self::start(preset, Image::single("app", ImageFormat::Oci), more)).await
    }

    /// As [`without_credential`](Self::without_credential), with the credential of the preset.
    async fn with_credential(preset: Preset, more: &str) -> Self {
        let credential = preset_credential(&preset);
        assert!(!credential.is_empty(), "the preset has no credential");
        Box::pin(Self::without_credential(preset, &format!("{credential}\n{more}"))).await
    }

    /// Replaces regpass with one whose configuration has `more` in the registry's table, and no `realm_hosts`.
    fn restart_without_realm_hosts(&mut self, more: &str) {
        let host = self.registry.authority();
        let text = format!("default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"http://{host}\"\n{more}\n");
        self.regpass = Regpass::start(&self.sim, &text);
    }

    /// Replaces regpass with one whose configuration has `more` in the registry's table.
    fn restart(&mut self, more: &str) {
        self.regpass = Regpass::start(&self.sim, &single_registry_config(&self.registry, more));
    }
}

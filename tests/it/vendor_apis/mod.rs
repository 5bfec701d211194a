//! Deletes at GHCR and the catalog of Docker Hub over their vendors' own APIs: which requests they cost, what they need, and
//! that the credential goes nowhere else.

mod logins;
mod namespaces;
mod packages;

use crate::harness::{Regpass, registry_table};
use crate::sim::{Preset, Registry, Sim};

/// A registry, and regpass in front of it whose table for `host` has `lines`.
pub fn regpass_for(sim: &Sim, host: &str, registry: &Registry, lines: &[&str]) -> Regpass {
    let table = registry_table(host, registry, &lines.join("\n"));
    Regpass::start(sim, &format!("default_registry = \"{host}\"\n{table}"))
}

/// A registry with a user.
pub async fn registry_with_user(sim: &Sim, preset: Preset, user: &str, password: &str) -> Registry {
    let registry = sim.start(preset).await;
    registry.add_user(user, password);
    registry
}

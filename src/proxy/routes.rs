//! The registries of one configuration, built on first use.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use http::StatusCode;

use super::error_response::ErrorResponse;
use crate::base::host::{HostPattern, RegistryHost};
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::profile;
use crate::upstream::SharedUpstream;
use crate::upstream::policy::RegistryPolicy;

/// Builds a registry that the configuration names or implies; `None` for any other.
pub type BuildRegistry = dyn Fn(&RegistryHost) -> Option<ConfiguredRegistry> + Send + Sync;

/// A registry and its configured policy.
#[derive(Clone, Debug)]
pub struct ConfiguredRegistry {
    pub upstream: SharedUpstream,
    pub policy: Arc<RegistryPolicy>,
}

/// The registries of one configuration.
pub struct Routes {
    pub default_registry: RegistryHost,
    /// Registries by alias. A client uses an alias as first path component, before `.localhost`, or in `?ns=`.
    pub aliases: HashMap<Box<str>, RegistryHost>,
    /// Registries by the host name in `Host`.
    pub virtual_hosts: HashMap<Box<str>, RegistryHost>,
    /// The registries named in the configuration, the default one first.
    pub configured: Vec<RegistryHost>,
    /// The wildcard patterns of the configuration. A registry that matches one is built when a request names it.
    pub patterns: Vec<HostPattern>,
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// URL of the status page, if it is enabled.
    pub status_page: Option<Box<str>>,
    build: Box<BuildRegistry>,
    registries: DashMap<RegistryHost, ConfiguredRegistry>,
}

impl Routes {
    pub fn new(default_registry: RegistryHost, build: Box<BuildRegistry>) -> Self {
        Self {
            configured: vec![default_registry.clone()],
            patterns: Vec::new(),
            default_registry,
            aliases: HashMap::new(),
            virtual_hosts: HashMap::new(),
            file: None,
            status_page: None,
            build,
            registries: DashMap::new(),
        }
    }

    pub fn is_virtual_host(&self, name: &str) -> bool {
        self.virtual_hosts.contains_key(name)
    }

    /// The registry with this name, built on first use.
    pub fn registry(&self, name: &RegistryHost) -> Result<ConfiguredRegistry, ErrorResponse> {
        let name = profile::canonical_host(name);
        if let Some(known) = self.registries.get(&name) {
            return Ok(known.clone());
        }
        // Built under the entry's lock, so that concurrent requests share one upstream and what regpass learns about
        // it.
        let registry = match self.registries.entry(name.clone()) {
            Entry::Occupied(known) => return Ok(known.get().clone()),
            Entry::Vacant(entry) => {
                let new = (self.build)(&name).ok_or_else(|| unknown(name.as_str()))?;
                entry.insert(new).clone()
            }
        };
        if self.registries.len() > MAX_REGISTRIES {
            self.registries.retain(|host, _| *host == name || self.is_named(host));
        }
        Ok(registry)
    }

    /// Whether the registry is configured by its own name or well-known. Only registries that match just a pattern are
    /// evicted: clients can name any number of them.
    pub fn is_named(&self, host: &RegistryHost) -> bool {
        self.configured.contains(host) || profile::is_well_known(host)
    }

    /// Builds the registries that were in use under the previous configuration, as far as this one has them. Otherwise
    /// what regpass has learned about them would be dropped with the previous configuration.
    pub fn adopt_registries(&self, previous: &Self) {
        for known in &previous.registries {
            _ = self.registry(known.key());
        }
    }

    /// The registries used since this configuration became active.
    pub fn used_registries(&self) -> Vec<ConfiguredRegistry> {
        self.registries.iter().map(|known| known.clone()).collect()
    }

    /// All configured registries in the order of the configuration, then the others in use, sorted by name.
    pub fn registries(&self) -> Vec<ConfiguredRegistry> {
        let mut all: Vec<ConfiguredRegistry> = Vec::new();
        for registry in self.configured.iter().filter_map(|host| self.registry(host).ok()) {
            if !all.iter().any(|known| known.upstream.host == registry.upstream.host) {
                all.push(registry);
            }
        }
        let mut others = self.used_registries();
        others.retain(|other| !all.iter().any(|known| known.upstream.host == other.upstream.host));
        others.sort_by(|a, b| a.upstream.host.as_str().cmp(b.upstream.host.as_str()));
        all.extend(others);
        all
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes").field("default_registry", &self.default_registry).finish_non_exhaustive()
    }
}

/// The error for a registry that is not configured. regpass is not an open proxy.
pub(super) fn unknown(name: &str) -> ErrorResponse {
    let name: String = name.chars().take(100).flat_map(char::escape_debug).collect();
    let message = format!(
        "the registry '{name}' is neither well-known nor configured; add [registry.\"{name}\"] to the configuration"
    );
    ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::NameUnknown, Blame::Client, Step::Route, message)
}

/// Maximum number of registries in memory. Above it regpass evicts those that match just a pattern.
const MAX_REGISTRIES: usize = 512;

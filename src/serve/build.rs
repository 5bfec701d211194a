//! Builds the registries and upload keys of a configuration.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use tokio::sync::Semaphore;

use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::Origin;
use crate::config::model::{Config, Registry};
use crate::config::problem::{Problem, Problems};
use crate::credential::registry_credentials::RegistryCredentials;
use crate::credential::secret_reader::SecretReader;
use crate::credential::sources::Sources;
use crate::net::dial::Network;
use crate::net::pem::BadTlsFile;
use crate::net::seen_origins::SeenOrigins;
use crate::net::tls::TlsFiles;
use crate::profile;
use crate::proxy::routes::{ConfiguredRegistry, Routes};
use crate::proxy::upload::Uploads;
use crate::proxy::upload::encrypted_session::{SessionError, SessionKeys};
use crate::upstream::connector::{Connector, Location};
use crate::upstream::content_sizes::ContentSizes;
use crate::upstream::policy::RegistryPolicy;
use crate::upstream::profile_choice::ProfileChoice;
use crate::upstream::referrers_support::ReferrersSupport;
use crate::upstream::upload_rate::UploadRate;
use crate::upstream::{MAX_CHUNKED_BODIES, Upstream, UpstreamId};

/// The contents of the TLS files that `[registry."PATTERN"]` tables name, by pattern.
pub type TlsByRegistry = HashMap<HostPattern, Arc<TlsFiles>>;

/// Reads the TLS files of all registries, or returns the problems of all of them.
pub fn read_tls(config: &Config) -> Result<TlsByRegistry, Problems> {
    let mut tls = HashMap::new();
    let mut problems = Vec::new();
    for registry in &config.registries {
        match tls_files(registry) {
            Ok(files) => drop(tls.insert(registry.pattern.clone(), Arc::new(files))),
            Err((setting, bad)) => problems.push(Problem {
                file: config.file.clone(),
                key: format!("registry.\"{}\".{setting}", registry.pattern),
                what: format!("cannot use the file {}: {}", bad.file, bad.why),
                hint: "name a readable PEM file".to_owned(),
                ..Problem::default()
            }),
        }
    }
    if problems.is_empty() { Ok(tls) } else { Err(Problems(problems)) }
}

/// Builds the registries of each configuration that is loaded. Across reloads a registry keeps its `Upstream`, with all
/// that regpass learned about the registry, as long as [`Upstream::is_equivalent_to`] allows.
#[derive(Debug)]
pub struct Registries {
    sources: Arc<Sources>,
    network: Network,
    built: DashMap<RegistryHost, Built>,
}

/// What was last built for a registry. The references are weak, so that a registry that is no longer used is dropped.
#[derive(Debug)]
struct Built {
    upstream: Weak<Upstream>,
    policy: Weak<RegistryPolicy>,
}

impl Registries {
    pub fn new(sources: Arc<Sources>, network: Network) -> Arc<Self> {
        Arc::new(Self { sources, network, built: DashMap::new() })
    }

    /// Builds the routes of a configuration; connects to nothing.
    pub fn routes(self: &Arc<Self>, config: &Config, tls: TlsByRegistry) -> Routes {
        let build = {
            let (registries, config) = (self.clone(), config.clone());
            move |host: &RegistryHost| registries.configured(&config, host, &tls)
        };
        let mut routes = Routes::new(config.default_registry.clone(), Box::new(build));
        routes.file.clone_from(&config.file);
        for registry in &config.registries {
            let HostPattern::Exact(host) = &registry.pattern else {
                routes.patterns.push(registry.pattern.clone());
                continue;
            };
            routes.configured.push(host.clone());
            routes.aliases.extend(registry.alias.iter().map(|alias| (alias.clone(), host.clone())));
            routes.virtual_hosts.extend(registry.hosts.iter().map(|name| (name.clone(), host.clone())));
        }
        routes
    }

    fn configured(&self, config: &Config, host: &RegistryHost, tls: &TlsByRegistry) -> Option<ConfiguredRegistry> {
        let entry = config.registries.iter().find(|entry| entry.pattern.matches(host));
        if entry.is_none() && !profile::is_well_known(host) {
            return None;
        }
        let entry = entry
            .cloned()
            .unwrap_or_else(|| Registry::with_defaults(HostPattern::Exact(host.clone()), &config.defaults));
        let new = self.upstream(config, host, &entry, tls)?;
        let previous =
            self.built.get(host).and_then(|built| Some((built.upstream.upgrade()?, built.policy.upgrade()?)));
        let previous = previous.filter(|(upstream, _)| upstream.is_equivalent_to(&new));
        let credentials = previous.as_ref().map(|(_, policy)| &policy.credentials);
        let credentials = RegistryCredentials::new(&entry.credential, &entry.identities, &self.sources, credentials);
        let upstream = previous.map_or_else(|| Arc::new(new), |(upstream, _)| upstream);
        let Registry { allow, repositories, redirects, verify, .. } = entry;
        let policy = Arc::new(RegistryPolicy { allow, repositories, redirects, verify, credentials });
        self.built.retain(|_, built| built.upstream.strong_count() > 0);
        let built = Built { upstream: Arc::downgrade(&upstream), policy: Arc::downgrade(&policy) };
        self.built.insert(host.clone(), built);
        Some(ConfiguredRegistry { upstream, policy })
    }

    /// The registry as this configuration describes it, with nothing learned about it yet. `None` if it has no `url`
    /// and its host makes no valid one.
    fn upstream(
        &self,
        config: &Config,
        host: &RegistryHost,
        entry: &Registry,
        tls: &TlsByRegistry,
    ) -> Option<Upstream> {
        let api_host = profile::by_host(host).and_then(|row| row.api_host).unwrap_or(host.as_str());
        let origin = match entry.url.clone() {
            Some(origin) => origin,
            None => Origin::https(api_host).ok()?,
        };
        let location = match (&entry.pattern, &entry.url) {
            (HostPattern::Any, _) => Location::WildcardMatch,
            (_, None) if profile::is_well_known(host) => Location::WellKnown,
            _ => Location::Anywhere,
        };
        let files = tls.get(&entry.pattern).cloned().unwrap_or_else(TlsFiles::none);
        Some(Upstream {
            id: UpstreamId::next(),
            host: host.clone(),
            label: entry.pattern.to_string().into(),
            origin,
            profile_choice: ProfileChoice::new(entry.profile, host),
            realm_hosts: entry.realm_hosts.clone(),
            upload_hosts: entry.upload_hosts.clone(),
            vendor_api: entry.vendor_api.clone(),
            hub_remotes: entry.hub_remotes.clone(),
            timeouts: config.timeouts,
            upload_rate: UploadRate::default(),
            content_sizes: ContentSizes::default(),
            token_services: SeenOrigins::default(),
            referrers: ReferrersSupport::default(),
            chunking_slots: Semaphore::new(MAX_CHUNKED_BODIES),
            connector: Connector::new(self.network.clone(), files, location),
        })
    }
}

/// The shared state of uploads, with the upload keys of a configuration.
pub fn uploads(config: &Config, sources: &Sources) -> Result<Uploads, SessionError> {
    Ok(Uploads::new(SessionKeys::new(upload_keys(config, sources))?, config.upload_spool))
}

/// The keys that encrypt upload URLs.
pub fn upload_keys(config: &Config, sources: &Sources) -> Vec<Arc<SecretReader>> {
    config.upload_keys.iter().map(|key| sources.upload_key(key)).collect()
}

fn tls_files(registry: &Registry) -> Result<TlsFiles, (&'static str, BadTlsFile)> {
    let mut files = TlsFiles::default();
    if let Some(ca) = &registry.ca {
        files = files.with_authorities(ca).map_err(|bad| ("ca", bad))?;
    }
    if let Some(identity) = &registry.client_certificate {
        let with_identity = files.with_identity(&identity.certificate, &identity.key);
        files = with_identity.map_err(|bad| ("client_certificate", bad))?;
    }
    Ok(files)
}

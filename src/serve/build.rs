//! From a configuration to the registries it speaks of.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use tokio::sync::Semaphore;

use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::Origin;
use crate::config::model::{Config, Registry};
use crate::config::problem::{Problem, Problems};
use crate::credential::chain::Credentials;
use crate::credential::secret::Reading;
use crate::credential::sources::Sources;
use crate::net::dial::Network;
use crate::net::pace::Pace;
use crate::net::pem::BadTlsFile;
use crate::net::tls::TlsFiles;
use crate::profile;
use crate::proxy::route::{Configured, Routes};
use crate::proxy::upload::Uploads;
use crate::proxy::upload::seal::{Seal, SealError};
use crate::upstream::terms::Terms;
use crate::upstream::{MOST_CUTTERS, Reach, Told, Upstream, UpstreamId};

/// The TLS material of the registries that have some.
pub type TlsByRegistry = HashMap<HostPattern, Arc<TlsFiles>>;

/// Reads the TLS files a configuration names, or says what is wrong with each of them.
pub fn read_tls(config: &Config) -> Result<TlsByRegistry, Problems> {
    let mut tls = HashMap::new();
    let mut problems = Vec::new();
    for registry in &config.registries {
        match tls_files(registry) {
            Ok(files) => drop(tls.insert(registry.pattern.clone(), Arc::new(files))),
            Err((setting, bad)) => problems.push(Problem {
                file: config.file.clone(),
                key: format!("registry.\"{}\".{setting}", registry.pattern),
                what: format!("the file {} cannot be used: {}", bad.file, bad.why),
                hint: "name a readable PEM file".to_owned(),
                ..Problem::default()
            }),
        }
    }
    if problems.is_empty() { Ok(tls) } else { Err(Problems(problems)) }
}

/// Builds the registries of one configuration after another. What stays where it was keeps what was learned of it.
#[derive(Debug)]
pub struct Registries {
    sources: Arc<Sources>,
    network: Network,
    built: DashMap<RegistryHost, Built>,
}

/// What was last made for a registry, as long as somebody has it.
#[derive(Debug)]
struct Built {
    upstream: Weak<Upstream>,
    terms: Weak<Terms>,
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

    fn configured(&self, config: &Config, host: &RegistryHost, tls: &TlsByRegistry) -> Option<Configured> {
        let entry = config.registries.iter().find(|entry| entry.pattern.matches(host));
        if entry.is_none() && !profile::is_well_known(host) {
            return None;
        }
        let entry =
            entry.cloned().unwrap_or_else(|| Registry::plain(HostPattern::Exact(host.clone()), &config.defaults));
        let new = self.upstream(config, host, &entry, tls)?;
        let before = self.built.get(host).and_then(|built| Some((built.upstream.upgrade()?, built.terms.upgrade()?)));
        let before = before.filter(|(upstream, _)| upstream.is_where(&new));
        let known = before.as_ref().map(|(_, terms)| &terms.credentials);
        let credentials = Credentials::new(&entry.credential, &entry.identities, &self.sources, known);
        let upstream = before.map_or_else(|| Arc::new(new), |(upstream, _)| upstream);
        let Registry { allow, repositories, redirects, .. } = entry;
        let terms = Arc::new(Terms { allow, repositories, redirects, credentials });
        self.built.retain(|_, built| built.upstream.strong_count() > 0);
        let built = Built { upstream: Arc::downgrade(&upstream), terms: Arc::downgrade(&terms) };
        self.built.insert(host.clone(), built);
        Some(Configured { upstream, terms })
    }

    /// The registry as this configuration has it, as if it were met for the first time.
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
        let files = tls.get(&entry.pattern).cloned().unwrap_or_default();
        Some(Upstream {
            id: UpstreamId::next(),
            host: host.clone(),
            label: entry.pattern.to_string().into(),
            origin,
            told: Told::of(entry.profile, host),
            realm_hosts: entry.realm_hosts.clone(),
            upload_hosts: entry.upload_hosts.clone(),
            hub_remotes: entry.hub_remotes.clone(),
            timeouts: config.timeouts,
            pace: Pace::default(),
            cutters: Semaphore::new(MOST_CUTTERS),
            reach: Reach::new(self.network.clone(), files, entry.pattern == HostPattern::Any),
        })
    }
}

/// What uploads share, under the keys of a configuration.
pub fn uploads(config: &Config, sources: &Sources) -> Result<Uploads, SealError> {
    Ok(Uploads::new(Seal::new(upload_keys(config, sources))?, config.upload_spool))
}

/// The keys that upload locations are signed with.
pub fn upload_keys(config: &Config, sources: &Sources) -> Vec<Arc<Reading>> {
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

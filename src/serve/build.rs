//! From a configuration to the registries it speaks of.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::Origin;
use crate::config::model::{Config, Redirects, Registry, RepositoryRules};
use crate::config::problem::{Problem, Problems};
use crate::credential::chain::Credentials;
use crate::credential::sources::Sources;
use crate::net::dial::Network;
use crate::net::pace::Pace;
use crate::net::tls::{BadTlsFile, TlsFiles};
use crate::profile;
use crate::proxy::route::Routes;
use crate::proxy::upload::Uploads;
use crate::proxy::upload::seal::{Seal, SealError};
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

/// Builds the routes of a configuration; connects to nothing.
pub fn routes(config: &Config, tls: TlsByRegistry, sources: &Arc<Sources>, network: &Network) -> Routes {
    let build = {
        let (config, sources, network) = (config.clone(), sources.clone(), network.clone());
        move |host: &RegistryHost| upstream(&config, host, &sources, &network, &tls)
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

/// What uploads share, under the keys of a configuration.
pub fn uploads(config: &Config, sources: &Sources) -> Result<Uploads, SealError> {
    let keys = config.upload_keys.iter().map(|key| sources.upload_key(key)).collect();
    Ok(Uploads::new(Seal::new(keys)?, config.upload_spool))
}

fn upstream(
    config: &Config,
    host: &RegistryHost,
    sources: &Sources,
    network: &Network,
    tls: &TlsByRegistry,
) -> Option<Upstream> {
    let entry = config.registries.iter().find(|entry| entry.pattern.matches(host));
    if entry.is_none() && !profile::is_well_known(host) {
        return None;
    }
    let api_host = profile::by_host(host).and_then(|row| row.api_host).unwrap_or(host.as_str());
    let origin = match entry.and_then(|entry| entry.url.clone()) {
        Some(origin) => origin,
        None => Origin::https(api_host).ok()?,
    };
    let credential = entry.map_or(&config.defaults.credential, |entry| &entry.credential);
    let identities = entry.map(|entry| &*entry.identities).unwrap_or_default();
    let files = entry.and_then(|entry| tls.get(&entry.pattern).cloned()).unwrap_or_default();
    Some(Upstream {
        id: UpstreamId::next(),
        host: host.clone(),
        label: entry.map_or_else(|| host.to_string(), |entry| entry.pattern.to_string()).into(),
        origin,
        told: Told::of(entry.and_then(|entry| entry.profile), host),
        allow: entry.map_or(&config.defaults.allow, |entry| &entry.allow).clone(),
        repositories: entry.map_or_else(RepositoryRules::default, |entry| entry.repositories.clone()),
        redirects: entry.map_or(Redirects::Follow, |entry| entry.redirects),
        realm_hosts: entry.map(|entry| entry.realm_hosts.clone()).unwrap_or_default(),
        upload_hosts: entry.map(|entry| entry.upload_hosts.clone()).unwrap_or_default(),
        credentials: Credentials::new(credential, identities, sources),
        timeouts: config.timeouts,
        pace: Pace::default(),
        cutters: Semaphore::new(MOST_CUTTERS),
        reach: Reach::new(network.clone(), files, entry.is_some_and(|entry| entry.pattern == HostPattern::Any)),
    })
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

//! One registry as configured: where it is and what is known of it; its [`terms`] say what may be done there.

pub mod terms;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use tokio::sync::Semaphore;

use crate::base::host::RegistryHost;
use crate::base::origin::{Origin, Url};
use crate::config::hub_remote::HubRemote;
use crate::config::model::Timeouts;
use crate::config::trusted_host::TrustedHost;
use crate::net::address::{Guard, Home};
use crate::net::circuit::Outage;
use crate::net::client::{Client, Limits};
use crate::net::dial::Network;
use crate::net::pace::Pace;
use crate::net::tls::TlsFiles;
use crate::oci::challenge::Challenge;
use crate::oci::name::RepositoryName;
use crate::profile::{self, Profile};

/// Tells upstreams apart, also two that stand for the same registry before and after a change of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamId(u64);

impl UpstreamId {
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where a registry is and what was learned of it. Outlives changes of the configuration that leave it where it is.
#[derive(Debug)]
pub struct Upstream {
    pub id: UpstreamId,
    /// The name it goes by in messages, logs and metrics.
    pub host: RegistryHost,
    /// The name it goes by in metrics: the configuration's pattern, so that a wildcard makes one label and not many.
    pub label: Box<str>,
    /// Where its API is.
    pub origin: Origin,
    /// What is known of it from its host or from the configuration.
    pub told: Told,
    /// Token services the operator trusts, beside the profile's.
    pub realm_hosts: Vec<TrustedHost>,
    /// Where its upload locations may lead, beside its own origin.
    pub upload_hosts: Vec<TrustedHost>,
    /// Where it stands for Docker Hub.
    pub hub_remotes: Vec<HubRemote>,
    pub timeouts: Timeouts,
    pub reach: Reach,
    /// How fast uploads to it have been of late.
    pub pace: Pace,
    /// The bodies that may be cut into pieces for it at once: each holds a piece in memory.
    pub cutters: Semaphore,
}

/// Which row of the profiles a registry has.
#[derive(Debug)]
pub enum Told {
    /// By the configuration, or by its host.
    Already(&'static Profile),
    /// By its first challenge, once that came; the fallback until then.
    ByChallenge(OnceLock<&'static Profile>),
}

impl Told {
    /// The configured row, or the one that lists the host; where there is neither, the first challenge tells.
    pub fn of(configured: Option<&'static Profile>, host: &RegistryHost) -> Self {
        match configured.or_else(|| profile::by_host(host)) {
            Some(profile) => Self::Already(profile),
            None => Self::ByChallenge(OnceLock::new()),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Already(one), Self::Already(other)) => one.name == other.name,
            (Self::ByChallenge(_), Self::ByChallenge(_)) => true,
            _ => false,
        }
    }
}

/// How an upstream is connected to. The clients are made on first use, because reading the system's certificates
/// takes longer than everything else at start.
#[derive(Debug)]
pub struct Reach {
    pub network: Network,
    pub tls: Arc<TlsFiles>,
    /// Whether only a wildcard of the configuration names this registry.
    pub by_wildcard: bool,
    clients: OnceLock<Result<Clients, String>>,
}

#[derive(Debug)]
struct Clients {
    registry: Arc<Client>,
    elsewhere: Client,
}

/// TLS material that does not fit together.
#[derive(Debug, thiserror::Error)]
#[error("the registry's TLS files cannot be used: {0}")]
pub struct BadTls(String);

impl Reach {
    pub fn new(network: Network, tls: Arc<TlsFiles>, by_wildcard: bool) -> Self {
        Self { network, tls, by_wildcard, clients: OnceLock::new() }
    }
}

impl Upstream {
    /// The client for `origin`. The registry's own origin has its connections, and is the only one that sees the
    /// client certificate; every other origin was named by the registry and is dialled under guard.
    pub fn client(&self, origin: &Origin) -> Result<&Client, BadTls> {
        let clients = self.clients()?;
        Ok(if *origin == self.origin { &clients.registry } else { &clients.elsewhere })
    }

    /// Whether `other` is the same registry at the same place, judged by the same rules. Then what was learned of one
    /// holds for the other.
    pub fn is_where(&self, other: &Self) -> bool {
        let place = |one: &Self| (one.host.clone(), one.label.clone(), one.origin.clone(), one.timeouts);
        place(self) == place(other)
            && self.told.is_like(&other.told)
            && (&self.realm_hosts, &self.upload_hosts) == (&other.realm_hosts, &other.upload_hosts)
            && self.hub_remotes == other.hub_remotes
            && (&self.reach.tls, self.reach.by_wildcard) == (&other.reach.tls, other.reach.by_wildcard)
    }

    /// What is known of the registry.
    pub fn profile(&self) -> &'static Profile {
        match &self.told {
            Told::Already(profile) => profile,
            Told::ByChallenge(found) => found.get().copied().unwrap_or_else(profile::fallback),
        }
    }

    /// What is known of the registry, were this its first challenge.
    pub fn profile_by(&self, challenges: &[Challenge], headers: &HeaderMap) -> &'static Profile {
        let told = if self.is_strange() { profile::by_challenge(challenges, headers) } else { None };
        told.unwrap_or_else(|| self.profile())
    }

    /// Whether its first challenge has yet to tell what kind it is.
    pub fn is_strange(&self) -> bool {
        matches!(&self.told, Told::ByChallenge(found) if found.get().is_none())
    }

    /// Learns from the first challenge what kind of registry it is.
    pub fn recognise(&self, challenges: &[Challenge], headers: &HeaderMap) {
        self.recognise_by_signs(challenges, headers);
        if let Told::ByChallenge(found) = &self.told {
            found.get_or_init(profile::fallback);
        }
    }

    /// The same from an answer that may be no challenge: without a sign it stays open what kind it is.
    pub fn recognise_by_signs(&self, challenges: &[Challenge], headers: &HeaderMap) {
        if let Told::ByChallenge(found) = &self.told
            && let Some(profile) = profile::by_challenge(challenges, headers)
        {
            found.get_or_init(|| profile);
        }
    }

    /// The client for the registry's own origin, for somebody who may outlive this upstream.
    pub fn own_client(&self) -> Result<&Arc<Client>, BadTls> {
        self.clients().map(|clients| &clients.registry)
    }

    /// The hosts that did not answer on its behalf when they were last asked: its own, token services, blob stores.
    pub fn outages(&self) -> Vec<Outage> {
        let Some(Ok(clients)) = self.reach.clients.get() else { return Vec::new() };
        clients.registry.outages().into_iter().chain(clients.elsewhere.outages()).collect()
    }

    fn clients(&self) -> Result<&Clients, BadTls> {
        let clients = self.reach.clients.get_or_init(|| self.connect().map_err(|error| error.to_string()));
        clients.as_ref().map_err(|why| BadTls(why.clone()))
    }

    /// What the registry calls a repository that a client names.
    pub fn known_as(&self, name: RepositoryName) -> RepositoryName {
        let name = self.profile().place(name);
        let at_hub = |name| profile::hub().place(name);
        self.hub_remotes.iter().find_map(|remote| remote.place(&name, at_hub)).unwrap_or(name)
    }

    /// A path of the API as a URL.
    pub fn url(&self, path: &str, query: Option<String>) -> Url {
        Url { origin: self.origin.clone(), path: path.into(), query: query.map(Into::into) }
    }

    fn connect(&self) -> Result<Clients, rustls::Error> {
        let Reach { network, tls, by_wildcard, .. } = &self.reach;
        let limits = Limits { connect: self.timeouts.connect, head: self.timeouts.response_head };
        let home = Home::default();
        let here = if *by_wildcard { Guard::AnyRegistry(home.clone()) } else { Guard::Registry(home.clone()) };
        Ok(Clients {
            registry: Arc::new(Client::new(network.clone(), here, tls.client_config(true)?, limits)),
            elsewhere: Client::new(network.clone(), Guard::Elsewhere(home), tls.client_config(false)?, limits),
        })
    }
}

pub type SharedUpstream = Arc<Upstream>;

/// How many bodies may be cut at once for one registry.
pub const MOST_CUTTERS: usize = 32;

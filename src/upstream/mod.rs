//! One configured registry: where it is, how to connect to it, and what regpass has found out about it. Its rules are
//! in [`policy`].

pub mod connector;
pub mod content_sizes;
pub mod egress;
pub mod policy;
pub mod profile_choice;
pub mod referrers_support;
pub mod upload_rate;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use self::connector::{Clients, Connector, TlsFilesError};
use self::content_sizes::ContentSizes;
use self::profile_choice::ProfileChoice;
use self::referrers_support::ReferrersSupport;
use self::upload_rate::UploadRate;
use crate::base::host::RegistryHost;
use crate::base::origin::{Origin, Url};
use crate::config::hub_remote::HubRemote;
use crate::config::model::Timeouts;
use crate::config::trusted_host::TrustedHost;
use crate::net::circuit::Outage;
use crate::net::client::{HttpClient, RequestTimeouts};
use crate::net::seen_origins::SeenOrigins;
use crate::oci::name::RepositoryName;
use crate::profile::{self, Profile};

/// Identifies an [`Upstream`] within the process. The same registry gets another id when a changed configuration
/// replaces its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamId(u64);

impl UpstreamId {
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// A registry's address and settings, and what was learned about it. It survives configuration changes after which
/// [`is_equivalent_to`](Self::is_equivalent_to) still holds.
#[derive(Debug)]
pub struct Upstream {
    pub id: UpstreamId,
    /// The registry's name in messages, logs and the status.
    pub host: RegistryHost,
    /// The registry's label in metrics: the pattern of the configuration, so that a wildcard makes one label, not many.
    pub label: Box<str>,
    /// The origin of the registry's API.
    pub origin: Origin,
    pub profile_choice: ProfileChoice,
    /// Hosts of token services that the operator trusts with credentials, in addition to the profile's.
    pub realm_hosts: Vec<TrustedHost>,
    /// Base URL of the vendor's own API; `None` for the profile's.
    pub vendor_api: Option<Url>,
    /// Hosts to which upload locations may point, in addition to the registry's own origin.
    pub upload_hosts: Vec<TrustedHost>,
    /// The parts of the registry that mirror Docker Hub.
    pub hub_remotes: Vec<HubRemote>,
    pub timeouts: Timeouts,
    pub connector: Connector,
    pub upload_rate: UploadRate,
    pub content_sizes: ContentSizes,
    /// The origins that answered a token request.
    pub token_services: SeenOrigins,
    pub referrers: ReferrersSupport,
    /// One permit for each request body that may be cut into chunks at once, because each holds a chunk in memory.
    pub chunking_slots: Semaphore,
}

pub type SharedUpstream = Arc<Upstream>;

/// How many bodies may be cut into chunks at once for one registry.
pub const MAX_CHUNKED_BODIES: usize = 32;

impl Upstream {
    /// Whether `other` is the same registry at the same address with the same settings, so that what was learned about
    /// one also holds for the other.
    pub fn is_equivalent_to(&self, other: &Self) -> bool {
        let address = |one: &Self| (one.host.clone(), one.label.clone(), one.origin.clone(), one.timeouts);
        address(self) == address(other)
            && self.profile_choice.is_equivalent_to(&other.profile_choice)
            && (&self.realm_hosts, &self.upload_hosts) == (&other.realm_hosts, &other.upload_hosts)
            && self.vendor_api == other.vendor_api
            && self.hub_remotes == other.hub_remotes
            && self.connector.is_equivalent_to(&other.connector)
    }

    /// The registry's profile; the fallback profile until it is known.
    pub fn profile(&self) -> &'static Profile {
        self.profile_choice.profile()
    }

    /// The URL of a path of the registry's API.
    pub fn url(&self, path: &str, query: Option<String>) -> Url {
        Url { origin: self.origin.clone(), path: path.into(), query: query.map(Into::into) }
    }

    /// The registry's own name for the repository that a client calls `name`.
    pub fn upstream_repository(&self, name: RepositoryName) -> RepositoryName {
        let name = self.profile().full_repository_name(name);
        let at_hub = |name| profile::hub().full_repository_name(name);
        self.hub_remotes.iter().find_map(|remote| remote.full_repository_name(&name, at_hub)).unwrap_or(name)
    }

    /// The client for `origin`. Only the registry's own origin is sent the client certificate. Every other origin was
    /// named by the registry, so its addresses are checked before they are dialled.
    pub fn client(&self, origin: &Origin) -> Result<&HttpClient, TlsFilesError> {
        let clients = self.clients()?;
        Ok(if *origin == self.origin { &clients.registry } else { &clients.other_origins })
    }

    /// The client for the vendor's API at `origin`. The operator chose the address if the configuration names it, so it
    /// may be any. The profile's address is one like every other that is not the registry's own. Neither is sent the
    /// client certificate.
    pub fn vendor_api_client(&self, origin: &Origin) -> Result<&HttpClient, TlsFilesError> {
        let clients = self.clients()?;
        let is_configured = self.vendor_api.as_ref().is_some_and(|configured| configured.origin == *origin);
        Ok(clients.vendor_api.as_ref().filter(|_| is_configured).unwrap_or(&clients.other_origins))
    }

    /// The client for the registry's own origin, for a caller that may outlive this upstream.
    pub fn own_client(&self) -> Result<&Arc<HttpClient>, TlsFilesError> {
        self.clients().map(|clients| &clients.registry)
    }

    /// The hosts (registry, token services, blob stores) that did not answer the last request that regpass sent them.
    pub fn outages(&self) -> Vec<Outage> {
        let Some(clients) = self.connector.existing_clients() else { return Vec::new() };
        clients.all().flat_map(HttpClient::outages).collect()
    }

    /// The origins that this process has connected to for this registry.
    fn connected_origins(&self) -> Vec<Origin> {
        let Some(clients) = self.connector.existing_clients() else { return Vec::new() };
        clients.all().flat_map(HttpClient::connected_origins).collect()
    }

    fn clients(&self) -> Result<&Clients, TlsFilesError> {
        let Timeouts { connect, response_head, .. } = self.timeouts;
        self.connector.clients(RequestTimeouts { connect, response_head }, self.vendor_api.is_some())
    }
}

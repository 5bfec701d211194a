//! The HTTP clients of one upstream, built on first use.

use std::sync::{Arc, OnceLock};

use crate::net::address_policy::{AddressPolicy, ReachedAddresses};
use crate::net::client::{HttpClient, RequestTimeouts};
use crate::net::dial::Network;
use crate::net::tls::TlsFiles;

/// The connection settings of an upstream, and its HTTP clients. The clients are built on first use, because reading
/// the system's root certificates takes longer than everything else at start.
#[derive(Debug)]
pub struct Connector {
    network: Network,
    tls: Arc<TlsFiles>,
    is_wildcard_match: bool,
    clients: OnceLock<Result<Clients, String>>,
}

#[derive(Debug)]
pub(super) struct Clients {
    pub(super) registry: Arc<HttpClient>,
    /// For token services and blob stores on other origins.
    pub(super) other_origins: HttpClient,
}

/// TLS material that cannot be used, such as a key that does not belong to its certificate.
#[derive(Debug, thiserror::Error)]
#[error("the registry's TLS files cannot be used: {0}")]
pub struct TlsFilesError(String);

impl Connector {
    /// `is_wildcard_match`: whether only a wildcard of the configuration matches this registry. Then its own origin
    /// may be dialled at public addresses only.
    pub fn new(network: Network, tls: Arc<TlsFiles>, is_wildcard_match: bool) -> Self {
        Self { network, tls, is_wildcard_match, clients: OnceLock::new() }
    }

    /// Whether `other` connects with the same TLS files and under the same rule for addresses.
    pub(super) fn is_equivalent_to(&self, other: &Self) -> bool {
        (&self.tls, self.is_wildcard_match) == (&other.tls, other.is_wildcard_match)
    }

    pub(super) fn clients(&self, timeouts: RequestTimeouts) -> Result<&Clients, TlsFilesError> {
        let clients = self.clients.get_or_init(|| self.build(timeouts).map_err(|error| error.to_string()));
        clients.as_ref().map_err(|why| TlsFilesError(why.clone()))
    }

    /// The clients, if they were built already and without an error.
    pub(super) fn existing_clients(&self) -> Option<&Clients> {
        self.clients.get()?.as_ref().ok()
    }

    fn build(&self, timeouts: RequestTimeouts) -> Result<Clients, rustls::Error> {
        let Self { network, tls, .. } = self;
        let reached = ReachedAddresses::default();
        let policy = if self.is_wildcard_match {
            AddressPolicy::WildcardRegistry(reached.clone())
        } else {
            AddressPolicy::Registry(reached.clone())
        };
        Ok(Clients {
            registry: Arc::new(HttpClient::new(network.clone(), policy, tls.client_config(true)?, timeouts)),
            other_origins: HttpClient::new(
                network.clone(),
                AddressPolicy::OtherOrigin(reached),
                tls.client_config(false)?,
                timeouts,
            ),
        })
    }
}

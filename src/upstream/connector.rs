//! The HTTP clients of one upstream, built on first use.

use std::sync::{Arc, OnceLock};

use crate::net::address_policy::{AddressPolicy, RegistryAddress};
use crate::net::client::{HttpClient, RequestTimeouts};
use crate::net::dial::Network;
use crate::net::tls::TlsFiles;

/// The connection settings of an upstream, and its HTTP clients. The clients are built on first use, because reading
/// the system's root certificates takes longer than everything else at start.
#[derive(Debug)]
pub struct Connector {
    network: Network,
    tls: Arc<TlsFiles>,
    location: Location,
    clients: OnceLock<Result<Clients, String>>,
}

/// Where a registry may be, by what the configuration says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// At any address: the configuration names it.
    Anywhere,
    /// At a public address: a well-known registry without a `url` of its own.
    WellKnown,
    /// At a public address: only `*` of the configuration matches it, so a client chose the name.
    WildcardMatch,
}

#[derive(Debug)]
pub(super) struct Clients {
    pub(super) registry: Arc<HttpClient>,
    /// For token services and blob stores on other origins.
    pub(super) other_origins: HttpClient,
    /// For the vendor's API at the address that the configuration names, if it names one.
    pub(super) vendor_api: Option<HttpClient>,
}

impl Clients {
    pub(super) fn all(&self) -> impl Iterator<Item = &HttpClient> {
        [&*self.registry, &self.other_origins].into_iter().chain(&self.vendor_api)
    }
}

/// TLS material that cannot be used, such as a key that does not belong to its certificate.
#[derive(Debug, thiserror::Error)]
#[error("the registry's TLS files cannot be used: {0}")]
pub struct TlsFilesError(String);

impl Connector {
    pub fn new(network: Network, tls: Arc<TlsFiles>, location: Location) -> Self {
        Self { network, tls, location, clients: OnceLock::new() }
    }

    /// Whether `other` connects with the same TLS files and under the same rule for addresses.
    pub(super) fn is_equivalent_to(&self, other: &Self) -> bool {
        (&self.tls, self.location) == (&other.tls, other.location)
    }

    /// The clients, built on the first call. `has_vendor_api`: whether the configuration names the address of an API.
    pub(super) fn clients(&self, timeouts: RequestTimeouts, has_vendor_api: bool) -> Result<&Clients, TlsFilesError> {
        let build = || self.build(timeouts, has_vendor_api).map_err(|error| error.to_string());
        let clients = self.clients.get_or_init(build);
        clients.as_ref().map_err(|why| TlsFilesError(why.clone()))
    }

    /// The clients, if they were built already and without an error.
    pub(super) fn existing_clients(&self) -> Option<&Clients> {
        self.clients.get()?.as_ref().ok()
    }

    fn build(&self, timeouts: RequestTimeouts, has_vendor_api: bool) -> Result<Clients, rustls::Error> {
        let Self { network, tls, .. } = self;
        let address = RegistryAddress::default();
        let policy = match self.location {
            Location::Anywhere => AddressPolicy::Registry(address.clone()),
            Location::WellKnown => AddressPolicy::PublicRegistry {
                rule: "which is not allowed for a well-known public registry; if it is a mirror of yours, set `url` in its \
                       [registry] table",
            },
            Location::WildcardMatch => AddressPolicy::PublicRegistry {
                rule: "which is not allowed for a registry that only `*` in the configuration matches; add an entry for it",
            },
        };
        let without_identity = tls.client_config(false)?;
        let other = |policy| HttpClient::new(network.clone(), policy, without_identity.clone(), timeouts);
        Ok(Clients {
            registry: Arc::new(HttpClient::new(network.clone(), policy, tls.client_config(true)?, timeouts)),
            other_origins: other(AddressPolicy::OtherOrigin(address)),
            // An address of its own: where the vendor's API answers says nothing about where the registry is.
            vendor_api: has_vendor_api.then(|| other(AddressPolicy::Registry(RegistryAddress::default()))),
        })
    }
}

//! The hosts that regpass connects to for one registry, for the rules of a firewall in front of the registries.

use super::Upstream;
use crate::base::origin::{Origin, Scheme};
use crate::config::trusted_host::TrustedHost;

/// A host that regpass connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressHost {
    /// `host:port`. In a host, `*` stands for any text within a label.
    pub address: String,
    pub purpose: Purpose,
    /// Whether this process has connected to it. False for a host that the configuration or the profile names.
    pub is_seen: bool,
}

/// What regpass connects to a host for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Api,
    TokenService,
    VendorApi,
    Uploads,
    Storage,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::TokenService => "token service",
            Self::VendorApi => "vendor's own API",
            Self::Uploads => "uploads",
            Self::Storage => "blob store",
        }
    }
}

impl Upstream {
    /// The hosts that this registry needs: those that the configuration and the profile name, and those that this process
    /// has connected to. Each address is listed once, for its first purpose.
    pub fn egress(&self) -> Vec<EgressHost> {
        let profile = self.profile();
        let at_https = |host: &str| format!("{host}:{}", Scheme::Https.default_port());
        // Without scheme and port, a host is most likely reached as the registry is.
        let at_usual_port = |host: &TrustedHost| {
            let port = host.port.unwrap_or_else(|| self.origin.scheme.default_port());
            format!("{}:{port}", host.host)
        };
        let vendor_api = match &self.vendor_api {
            Some(url) => vec![address(&url.origin)],
            None => profile.vendor_apis().map(|api| at_https(api.host())).collect(),
        };
        let known = [
            (Purpose::Api, vec![address(&self.origin)]),
            (Purpose::TokenService, profile.realm_origins().map(|origin| address(&origin)).collect()),
            (Purpose::TokenService, self.realm_hosts.iter().map(at_usual_port).collect()),
            (Purpose::VendorApi, vendor_api),
            (Purpose::Uploads, self.upload_hosts.iter().map(at_usual_port).collect()),
            (Purpose::Storage, profile.storage_hosts.iter().map(|host| at_https(host)).collect()),
        ];
        let known =
            known.into_iter().flat_map(|(purpose, addresses)| addresses.into_iter().map(move |one| (one, purpose)));
        let mut hosts: Vec<EgressHost> = Vec::new();
        for (address, purpose) in known {
            if !hosts.iter().any(|host| host.address == address) {
                hosts.push(EgressHost { address, purpose, is_seen: false });
            }
        }
        for origin in self.connected_origins() {
            let address = address(&origin);
            if let Some(known) = hosts.iter_mut().find(|host| host.address == address) {
                known.is_seen = true;
            } else {
                let is_token_service = self.token_services.contains(&origin);
                let purpose = if is_token_service { Purpose::TokenService } else { Purpose::Storage };
                hosts.push(EgressHost { address, purpose, is_seen: true });
            }
        }
        hosts
    }
}

fn address(origin: &Origin) -> String {
    format!("{}:{}", origin.host, origin.port)
}

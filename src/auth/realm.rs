//! The decision who may see a credential, and its receipt.

use crate::base::origin::{BadUrl, Scheme, Url};
use crate::upstream::Upstream;

/// A token service that passed [`admit`]. There is no other constructor, so no code path can send a credential to an
/// address that a registry merely asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrustedRealm {
    url: Url,
    sees_credentials: bool,
}

impl TrustedRealm {
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether a credential may be shown there, or anonymous calls only.
    pub fn sees_credentials(&self) -> bool {
        self.sees_credentials
    }
}

/// Why a realm is not called at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RealmRefused {
    #[error("its realm is no usable URL: {0}")]
    BadUrl(#[from] BadUrl),
    #[error("its realm {realm} is plain http while the registry is https")]
    Plaintext { realm: Url },
    #[error(
        "its realm {realm} is not the registry's own origin; add '{host}' to the registry's 'realm_hosts' if you trust it"
    )]
    Unlisted { realm: Url, host: String },
}

/// Judges the realm of a challenge.
///
/// Credentials go to the registry's own origin and to hosts that the profile or the operator listed. Guessing is
/// unsafe both ways: "same domain" needs a list of public suffixes, and GitLab's realm is on another host. Anonymous
/// calls may also go to any https realm; that it is on a public address is checked when it is dialled.
pub fn admit(upstream: &Upstream, realm: &str) -> Result<TrustedRealm, RealmRefused> {
    let url = upstream.url("/", None).join(realm)?;
    if upstream.origin.scheme == Scheme::Https && url.origin.scheme == Scheme::Http {
        return Err(RealmRefused::Plaintext { realm: url });
    }
    let sees_credentials = url.origin == upstream.origin || is_listed(upstream, &url);
    if !sees_credentials && url.origin.scheme == Scheme::Http {
        let host = url.origin.authority();
        return Err(RealmRefused::Unlisted { realm: url, host });
    }
    Ok(TrustedRealm { url, sees_credentials })
}

fn is_listed(upstream: &Upstream, url: &Url) -> bool {
    let origin = &url.origin;
    let by_profile = origin.scheme == Scheme::Https
        && origin.port == Scheme::Https.default_port()
        && upstream.profile.realm_hosts.contains(&&*origin.host);
    let by_operator = upstream
        .realm_hosts
        .iter()
        .any(|listed| listed.host == origin.host && listed.port.is_none_or(|port| port == origin.port));
    by_profile || by_operator
}

//! Which token services may be called, and which of them with a credential.

use crate::base::origin::{BadUrl, Scheme, Url};
use crate::upstream::Upstream;

/// A token service that passed [`check_realm`]. There is no other constructor, so a credential cannot be sent to an
/// address only because a registry named it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrustedRealm {
    url: Url,
    sees_credentials: bool,
}

impl TrustedRealm {
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether a credential may be sent there. Otherwise only anonymous calls are allowed.
    pub fn sees_credentials(&self) -> bool {
        self.sees_credentials
    }
}

/// Why a realm is not called at all, not even anonymously.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RealmRejected {
    #[error("its realm is not a usable URL: {0}")]
    BadUrl(#[from] BadUrl),
    #[error(
        "its realm {realm} is plain http, but the registry uses https, so regpass requests no token there; correct the realm in the registry's configuration"
    )]
    Plaintext { realm: Url },
    #[error(
        "its realm {realm} is plain http and not the registry's own origin; add `{host}` to the registry's `realm_hosts` if you trust it"
    )]
    Unlisted { realm: Url, host: String },
}

/// Checks the realm of a challenge.
///
/// Credentials go to the registry's own origin and to hosts that the profile or the operator listed. Inferring trust
/// does not work: "same domain" needs a list of public suffixes, and GitLab's realm is on another host. Anonymous calls
/// may also go to any https realm; that its address is public is checked when it is dialled.
pub fn check_realm(upstream: &Upstream, realm: &str) -> Result<TrustedRealm, RealmRejected> {
    let url = upstream.url("/", None).join(realm)?;
    if upstream.origin.scheme == Scheme::Https && url.origin.scheme == Scheme::Http {
        return Err(RealmRejected::Plaintext { realm: url });
    }
    let sees_credentials = url.origin == upstream.origin || is_listed(upstream, &url);
    if !sees_credentials && url.origin.scheme == Scheme::Http {
        let host = url.origin.authority();
        return Err(RealmRejected::Unlisted { realm: url, host });
    }
    Ok(TrustedRealm { url, sees_credentials })
}

fn is_listed(upstream: &Upstream, url: &Url) -> bool {
    let origin = &url.origin;
    let by_profile = origin.scheme == Scheme::Https
        && origin.port == Scheme::Https.default_port()
        && upstream.profile().realm_hosts.contains(&&*origin.host);
    by_profile || upstream.realm_hosts.iter().any(|listed| listed.matches(origin))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::host::RegistryHost;
    use crate::base::origin::Origin;
    use crate::config::model::Timeouts;
    use crate::config::trusted_host::TrustedHost;
    use crate::net::dial::Network;
    use crate::profile;
    use crate::upstream::UpstreamId;
    use crate::upstream::connector::{Connector, Location};
    use crate::upstream::content_sizes::ContentSizes;
    use crate::upstream::profile_choice::ProfileChoice;
    use crate::upstream::referrers_support::ReferrersSupport;
    use crate::upstream::upload_rate::UploadRate;
    use tokio::sync::Semaphore;

    fn upstream(url: &str, profile: &str, realm_hosts: &[(&str, Option<u16>)]) -> Upstream {
        let origin: Origin = Url::parse(url).unwrap().origin;
        let realm_host =
            |(host, port): &(&str, Option<u16>)| TrustedHost { scheme: None, host: (*host).into(), port: *port };
        Upstream {
            id: UpstreamId::next(),
            host: RegistryHost::parse("registry.example").unwrap(),
            label: "registry.example".into(),
            origin,
            profile_choice: ProfileChoice::Known(profile::by_name(profile).unwrap()),
            realm_hosts: realm_hosts.iter().map(realm_host).collect(),
            hub_remotes: Vec::new(),
            upload_hosts: Vec::new(),
            timeouts: Timeouts::default(),
            upload_rate: UploadRate::default(),
            content_sizes: ContentSizes::default(),
            referrers: ReferrersSupport::default(),
            chunking_slots: Semaphore::new(1),
            connector: Connector::new(Network::Tcp, Arc::default(), Location::Anywhere),
        }
    }

    /// `Some(whether it sees credentials)`, or `None` for a rejected realm.
    fn checked(upstream: &Upstream, realm: &str) -> Option<bool> {
        check_realm(upstream, realm).ok().map(|realm| realm.sees_credentials())
    }

    #[test]
    fn https_registry_trusts_its_own_origin_and_listed_hosts() {
        let upstream = upstream("https://r.example", "docker-hub", &[("t.example", None), ("p.example", Some(8443))]);
        for (realm, expected) in [
            ("https://r.example/token", Some(true)),
            ("/token", Some(true)),
            ("https://R.EXAMPLE:443/token", Some(true)),
            ("https://t.example/token", Some(true)),
            ("https://t.example:9443/token", Some(true)),
            ("https://p.example:8443/token", Some(true)),
            ("https://p.example/token", Some(false)),
            ("https://auth.docker.io/token", Some(true)),
            ("https://auth.docker.io:8443/token", Some(false)),
            ("https://evil.auth.docker.io/token", Some(false)),
            ("https://auth.docker.io.evil.example/token", Some(false)),
            ("https://sub.t.example/token", Some(false)),
            ("https://xt.example/token", Some(false)),
            ("https://r.example:8443/token", Some(false)),
            ("https://r.example.evil.example/", Some(false)),
            ("http://r.example/token", None),
            ("http://t.example/token", None),
            ("http://auth.docker.io/token", None),
            ("//t.example/token", Some(true)),
            ("https://r.example@evil.example/token", None),
            ("https://evil.example\\@r.example/", None),
            ("https://evil.example#@r.example/", Some(false)),
            ("https://r.example%2eevil.example/", None),
            ("https://", None),
            ("ftp://r.example/", None),
        ] {
            assert_eq!(checked(&upstream, realm), expected, "{realm}");
        }
    }

    #[test]
    fn http_registry_calls_only_listed_hosts_or_https_realms() {
        let upstream = upstream("http://r.example:5000", "generic", &[("t.example", Some(80))]);
        for (realm, expected) in [
            ("http://r.example:5000/token", Some(true)),
            ("http://r.example/token", None),
            ("http://t.example/token", Some(true)),
            ("http://t.example:8080/token", None),
            ("http://auth.docker.io/token", None),
            ("https://t.example/token", Some(false)),
            ("https://auth.docker.io/token", Some(false)),
            ("https://r.example:5000/token", Some(false)),
        ] {
            assert_eq!(checked(&upstream, realm), expected, "{realm}");
        }
    }

    /// The realms of the challenges that these registries were observed to send. No configuration lists one.
    #[test]
    fn hosted_registries_trust_the_realm_of_their_own_challenges() {
        for (registry, realm) in [
            ("registry.digitalocean.com", "https://api.digitalocean.com/v2/registry/auth"),
            ("rg.fr-par.scw.cloud", "https://api.scaleway.com/registry-internal/v1/regions/fr-par/tokens"),
            ("registry.cn-shanghai.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"),
            ("crpi-abc.cn-beijing.personal.cr.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"),
            ("docker.elastic.co", "https://docker-auth.elastic.co/auth"),
            ("dhi.io", "https://dhi.io/token"),
            ("cgr.dev", "https://cgr.dev/token"),
            ("registry.redhat.io", "https://registry.redhat.io/auth/realms/rhcc/protocol/redhat-docker-v2/auth"),
            ("registry.redhat.io", "https://sso.redhat.com/auth/realms/rhcc/protocol/redhat-docker-v2/auth"),
            ("us.icr.io", "https://us.icr.io/oauth/token"),
            ("fra.ocir.io", "https://fra.ocir.io/20180419/docker/token"),
            ("swr.cn-north-4.myhuaweicloud.com", "https://swr.cn-north-4.myhuaweicloud.com/swr/auth/v2/registry/auth/"),
            ("lscr.io", "https://ghcr.io/token"),
        ] {
            let host = RegistryHost::parse(registry).unwrap();
            let row = profile::by_host(&host).unwrap_or_else(|| panic!("{registry} has no profile"));
            let registry = upstream(&format!("https://{registry}"), row.name, &[]);
            assert_eq!(checked(&registry, realm), Some(true), "{realm}");
            assert_eq!(checked(&registry, "https://dockerauth.oss-cn-hangzhou.aliyuncs.com/auth"), Some(false));
        }
    }

    #[test]
    fn rejection_names_the_host_to_add_and_no_secret() {
        let upstream = upstream("http://r.example:5000", "generic", &[]);
        let rejection = check_realm(&upstream, "http://t.example:8080/token?x=secret").unwrap_err().to_string();
        assert!(rejection.contains("add `t.example:8080` to the registry's `realm_hosts`"), "{rejection}");
        assert!(!rejection.contains("secret"), "{rejection}");
    }
}

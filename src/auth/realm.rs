//! Which token services may be called, and which of them with a credential.

use crate::base::origin::{BadUrl, Origin, Scheme, Url};
use crate::base::url_escape::escape_reference;
use crate::upstream::Upstream;

/// A token service that passed [`check_realm`]. There is no other constructor, so a credential cannot be sent to an
/// address only because a registry named it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TrustedRealm {
    url: Url,
    sees_credentials: bool,
    /// Where the token service is if it is not at `url`.
    alternative: Option<Box<TrustedRealm>>,
}

impl TrustedRealm {
    fn new(url: Url, sees_credentials: bool) -> Self {
        Self { url, sees_credentials, alternative: None }
    }

    fn or(self, alternative: Self) -> Self {
        Self { alternative: Some(Box::new(alternative)), ..self }
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether a credential may be sent there. Otherwise only anonymous calls are allowed.
    pub fn sees_credentials(&self) -> bool {
        self.sees_credentials
    }

    /// The token service to call if there is none at [`url`](Self::url).
    pub fn alternative(&self) -> Option<&Self> {
        self.alternative.as_deref()
    }
}

/// Why a realm is not called at all, not even anonymously.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RealmRejected {
    #[error("its realm is not a usable URL: {0}")]
    BadUrl(#[from] BadUrl),
    #[error(
        "its realm {realm} is plain http, but the registry uses https, so regpass requests no token there; correct the realm in the registry's configuration, or, if the token service answers https as well, add `{host}` to the registry's `realm_hosts`"
    )]
    Plaintext { realm: Url, host: String },
    #[error(
        "its realm {realm} is plain http and not the registry's own origin; add `{host}` to the registry's `realm_hosts` if you trust it"
    )]
    Unlisted { realm: Url, host: String },
}

/// Checks the realm of a challenge, and decides at which URL the token service is called.
///
/// Credentials go to the registry's own origin and to hosts that the profile or the operator listed. Inferring trust
/// does not work: "same domain" needs a list of public suffixes, and GitLab's realm is on another host. Anonymous calls
/// may also go to any https realm; that its address is public is checked when it is dialled.
///
/// A registry behind a TLS front often builds its realm from what it sees itself: plain http, its internal port, or no
/// port (Harbor, Gitea, GitLab and Nexus behind a reverse proxy). So for an https registry, a realm at the registry's
/// own host is called at the registry's own origin, and an http realm at a listed host is called by https. Another port
/// of the same host may also be a token service of its own (`docker_auth` at port 5001), so an https realm there stays
/// the alternative. An http registry's realm is called as it is.
pub fn check_realm(upstream: &Upstream, realm: &str) -> Result<TrustedRealm, RealmRejected> {
    // Escaped as in the other URLs that a registry names.
    let mut named = upstream.url("/", None).join(&escape_reference(realm.trim().as_bytes()))?;
    named.origin.host = without_trailing_dot(&named.origin.host).into();
    let at = |origin: &Origin| Url { origin: origin.clone(), ..named.clone() };
    let own = TrustedRealm::new(at(&upstream.origin), true);
    if named.origin == upstream.origin {
        return Ok(own);
    }
    let is_own_host = names_own_host(upstream, &named.origin);
    match (upstream.origin.scheme, named.origin.scheme) {
        (Scheme::Https, Scheme::Https) => {
            let is_listed = is_listed(upstream, &named.origin);
            let is_other_port = !named.origin.has_default_port() && named.origin.port != upstream.origin.port;
            let named = TrustedRealm::new(named, is_listed);
            Ok(match (is_own_host, is_listed) {
                (false, _) => named,
                (true, true) => named.or(own),
                (true, false) if is_other_port => own.or(named),
                (true, false) => own,
            })
        }
        (Scheme::Https, Scheme::Http) if is_own_host => Ok(own),
        (Scheme::Https, Scheme::Http) => {
            let secure = over_tls(&named.origin);
            if is_listed(upstream, &secure) {
                return Ok(TrustedRealm::new(at(&secure), true));
            }
            Err(RealmRejected::Plaintext { host: secure.authority(), realm: named })
        }
        (Scheme::Http, scheme) => {
            let is_listed = is_listed(upstream, &named.origin);
            if !is_listed && scheme == Scheme::Http {
                let host = named.origin.authority();
                return Err(RealmRejected::Unlisted { realm: named, host });
            }
            Ok(TrustedRealm::new(named, is_listed))
        }
    }
}

fn is_listed(upstream: &Upstream, origin: &Origin) -> bool {
    let by_profile = upstream.profile().realm_origins().any(|listed| listed == *origin);
    by_profile || upstream.realm_hosts.iter().any(|listed| listed.matches(origin))
}

/// Whether an origin's host is that of the registry's API, or the registry's name in the configuration, at any port.
fn names_own_host(upstream: &Upstream, origin: &Origin) -> bool {
    let configured = Origin::https(upstream.host.as_str()).map(|configured| configured.host);
    *origin.host == *without_trailing_dot(&upstream.origin.host)
        || configured.is_ok_and(|configured| *origin.host == *without_trailing_dot(&configured))
}

/// The https origin of a server that was named by http: the same port, unless it is the default one.
fn over_tls(origin: &Origin) -> Origin {
    let scheme = Scheme::Https;
    let port = if origin.has_default_port() { scheme.default_port() } else { origin.port };
    Origin { scheme, host: origin.host.clone(), port }
}

/// The host of a name that is written as absolute, `registry.example.`, without the dot.
fn without_trailing_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
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
    use crate::net::seen_origins::SeenOrigins;
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
            vendor_api: None,
            timeouts: Timeouts::default(),
            upload_rate: UploadRate::default(),
            content_sizes: ContentSizes::default(),
            token_services: SeenOrigins::default(),
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
            ("https://r.example.evil.example/", Some(false)),
            ("http://other.example/token", None),
            ("http://sub.t.example/token", None),
            ("http://p.example/token", None),
            ("http://r.example.evil.example/token", None),
            ("//t.example/token", Some(true)),
            ("https://r.example@evil.example/token", None),
            ("https://evil.example\\@r.example/", None),
            ("https://evil.example#@r.example/", Some(false)),
            ("https://r.example%2eevil.example/", None),
            ("https://", None),
            ("ftp://r.example/", None),
            ("https://r.example/to ken?x=a b", Some(true)),
        ] {
            assert_eq!(checked(&upstream, realm), expected, "{realm}");
        }
    }

    /// The URLs at which a realm of a registry at `url`, called `registry.example` in the configuration, is called, the
    /// alternative last. A `!` marks one that sees no credentials.
    fn called(url: &str, realm_hosts: &[(&str, Option<u16>)], realm: &str) -> Vec<String> {
        let trusted = check_realm(&upstream(url, "docker-hub", realm_hosts), realm).unwrap();
        let mut urls = Vec::new();
        let mut next = Some(&trusted);
        while let Some(realm) = next {
            let mark = if realm.sees_credentials() { "" } else { "!" };
            urls.push(format!("{mark}{}{}", realm.url().origin, realm.url().target()));
            next = realm.alternative();
        }
        urls
    }

    #[test]
    fn realm_at_an_https_registrys_own_host_is_called_at_its_own_origin() {
        for url in ["https://r.example", "https://r.example:8443", "https://R.example.", "https://10.0.0.1:8443"] {
            let own = format!("{}/service/token?x=1", Url::parse(url).unwrap().origin);
            for realm in [
                "/service/token?x=1",
                "http://registry.example/service/token?x=1",
                "http://REGISTRY.example:80/service/token?x=1",
                "http://registry.example.:5000/service/token?x=1",
                "https://registry.example/service/token?x=1",
                "https://registry.example.:443/service/token?x=1",
                "//registry.example/service/token?x=1",
            ] {
                assert_eq!(called(url, &[], realm), [&*own], "{url} {realm}");
                let own_url = Url::parse(url).unwrap().origin;
                let by_url_host = realm.replace("registry.example.", "registry.example");
                let by_url_host =
                    by_url_host.replace("REGISTRY", "registry").replace("registry.example", &own_url.host);
                assert_eq!(called(url, &[], &by_url_host), [&*own], "{url} {by_url_host}");
            }
            let other_port = "https://registry.example:5001/service/token?x=1";
            assert_eq!(called(url, &[], other_port), [&*own, &format!("!{other_port}")], "{url}");
            assert_eq!(called(url, &[("registry.example", Some(5001))], other_port), [other_port, &*own], "{url}");
            assert_eq!(called(url, &[("registry.example", None)], other_port), [other_port, &*own], "{url}");
            let plain = "http://registry.example:5000/service/token?x=1";
            assert_eq!(called(url, &[("registry.example", None)], plain), [&*own], "{url}");
        }
    }

    #[test]
    fn http_realm_at_a_listed_host_of_an_https_registry_is_called_by_https() {
        let listed = [("t.example", None), ("p.example", Some(5001))];
        for (realm, url) in [
            ("http://t.example/token?x=1", "https://t.example/token?x=1"),
            ("http://T.example.:80/token", "https://t.example/token"),
            ("http://t.example:8080/token", "https://t.example:8080/token"),
            ("http://p.example:5001/token", "https://p.example:5001/token"),
            ("http://auth.docker.io/token", "https://auth.docker.io/token"),
        ] {
            assert_eq!(called("https://r.example", &listed, realm), [url], "{realm}");
        }
        let listed_by_scheme = Upstream {
            realm_hosts: vec![TrustedHost { scheme: Some(Scheme::Http), host: "t.example".into(), port: Some(80) }],
            ..upstream("https://r.example", "generic", &[])
        };
        let rejected = check_realm(&listed_by_scheme, "http://t.example/token").unwrap_err().to_string();
        assert!(rejected.contains("add `t.example` to the registry's `realm_hosts`"), "{rejected}");
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
            ("http://registry.example/token", None),
            ("https://registry.example/token", Some(false)),
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

//! Registry hosts and patterns that match them.

use std::fmt;

use super::origin::{BadUrl, Origin};

/// The host of a registry as in image names: `ghcr.io`, `localhost:5000`. Lower case, without the default port of
/// https.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistryHost(Box<str>);

impl RegistryHost {
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        if text.contains(['/', '?', '#']) {
            return Err(BadUrl::Characters);
        }
        Origin::https(text).map(|origin| Self(origin.authority().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The registries that an entry of the configuration applies to. Ordered by precedence: an exact host first, `*` last.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// One registry.
    Exact(RegistryHost),
    /// `*.azurecr.io`: every subdomain at any depth, but not `azurecr.io` itself.
    Subdomains(Box<str>),
    /// `*`: every host.
    Any,
}

impl HostPattern {
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Any),
            Some(domain) => RegistryHost::parse(domain).map(|domain| Self::Subdomains(domain.as_str().into())),
            None => RegistryHost::parse(text).map(Self::Exact),
        }
    }

    pub fn matches(&self, host: &RegistryHost) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::Subdomains(domain) => host
                .as_str()
                .strip_suffix(&**domain)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|sub| !sub.is_empty()),
            Self::Any => true,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Subdomains(domain) => write!(f, "*.{domain}"),
            Self::Any => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_normalized() {
        for (text, canonical) in [
            ("GHCR.io", "ghcr.io"),
            ("ghcr.io:443", "ghcr.io"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
        ] {
            assert_eq!(RegistryHost::parse(text).unwrap().as_str(), canonical);
        }
        for bad in ["", "a/b", "https://a.io", "u@a.io", "a io", "a:b", "a?b"] {
            assert!(RegistryHost::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn subdomain_patterns_match_whole_labels() {
        let host = |text| RegistryHost::parse(text).unwrap();
        let pattern = HostPattern::parse("*.azurecr.io").unwrap();
        assert!(pattern.matches(&host("team.azurecr.io")) && pattern.matches(&host("a.b.azurecr.io")));
        for other in ["azurecr.io", "evilazurecr.io", "team.azurecr.io.evil.com", "team.azurecr.io:8443"] {
            assert!(!pattern.matches(&host(other)), "{other}");
        }
        assert!(HostPattern::parse("*").unwrap().matches(&host("any.example")));
        assert!(HostPattern::parse("a.*.io").is_err());
    }
}

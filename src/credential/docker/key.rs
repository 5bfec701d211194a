//! The keys under which docker's and podman's files store credentials, and how specifically a key matches a request.
//!
//! The same registry may occur as `ghcr.io`, `https://ghcr.io` or `https://ghcr.io/v2/`; podman also has keys for a
//! part of a registry, such as `ghcr.io/org/repo`. Keys are compared by parsed hosts and whole path segments.

use std::fmt;

use crate::base::host::RegistryHost;
use crate::credential::CredentialRequest;
use crate::oci::name::RepositoryName;
use crate::profile::canonical_host;

/// A key of `auths` or `credHelpers`.
pub(super) struct ConfigKey {
    text: Box<str>,
    /// `None` for a key without a valid host, which matches only as a legacy key of the request.
    parsed: Option<ParsedKey>,
}

#[derive(Debug)]
struct ParsedKey {
    host: RegistryHost,
    /// The host with aliases of a registry replaced by its main name.
    canonical: RegistryHost,
    kind: KeyKind,
}

#[derive(Debug)]
enum KeyKind {
    /// The registry's host name.
    Registry,
    /// The URL of the registry's API.
    Api,
    /// Another URL on the registry's host.
    Url,
    /// A repository path prefix, which podman supports.
    Repositories(Box<[Box<str>]>),
}

/// How specifically a key matches a request. The greatest is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Specificity {
    Url,
    Api,
    /// Another host name of the same registry.
    Alias,
    Registry,
    /// One of the request's legacy keys, under which docker stores the credential.
    Legacy,
    /// A prefix of this many segments of the repository's name.
    Repositories(usize),
}

impl ConfigKey {
    pub(super) fn parse(text: &str) -> Self {
        Self { text: text.into(), parsed: ParsedKey::parse(text.trim()) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// `None` if the key does not match.
    pub(super) fn specificity(&self, request: &CredentialRequest<'_>) -> Option<Specificity> {
        if request.legacy_keys.contains(&&*self.text) {
            return Some(Specificity::Legacy);
        }
        let parsed = self.parsed.as_ref()?;
        if parsed.canonical != canonical_host(request.registry) {
            return None;
        }
        Some(match &parsed.kind {
            KeyKind::Registry if parsed.host == *request.registry => Specificity::Registry,
            KeyKind::Registry => Specificity::Alias,
            KeyKind::Api => Specificity::Api,
            KeyKind::Url => Specificity::Url,
            KeyKind::Repositories(segments) => {
                return request
                    .repository
                    .is_some_and(|repository| has_prefix(repository, segments))
                    .then_some(Specificity::Repositories(segments.len()));
            }
        })
    }
}

impl fmt::Debug for ConfigKey {
    /// A key without a valid host is not printed: it may contain a secret, such as a URL with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.parsed.is_some() { &self.text } else { "(not the name of a registry)" })
    }
}

impl ParsedKey {
    fn parse(text: &str) -> Option<Self> {
        let (is_url, rest) = match text.split_once("://") {
            Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                (true, rest)
            }
            Some(_) => return None,
            None => (false, text),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = RegistryHost::parse(host).ok()?;
        let segments: Box<[Box<str>]> = path.split('/').filter(|segment| !segment.is_empty()).map(Into::into).collect();
        let is_api = matches!(&*segments, [only] if matches!(&**only, "v1" | "v2"));
        let kind = match (is_url, segments.is_empty()) {
            _ if is_api => KeyKind::Api,
            (true, true) => KeyKind::Api,
            (true, false) => KeyKind::Url,
            (false, true) => KeyKind::Registry,
            (false, false) => KeyKind::Repositories(segments),
        };
        Some(Self { canonical: canonical_host(&host), host, kind })
    }
}

fn has_prefix(repository: &RepositoryName, segments: &[Box<str>]) -> bool {
    let mut components = repository.components();
    segments.iter().all(|segment| components.next() == Some(segment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::tests::RequestContext;

    fn specificity(key: &str, registry: &str, repository: &str) -> Option<Specificity> {
        ConfigKey::parse(key).specificity(&RequestContext::new(registry, repository).request())
    }

    #[test]
    fn keys_match_registries_by_parsed_hosts() {
        use Specificity::{Alias, Api, Legacy, Registry, Url};
        for (expected, registry, keys) in [
            (Registry, "ghcr.io", &["ghcr.io", "GHCR.io", "ghcr.io/", "ghcr.io:443"][..]),
            (Registry, "localhost:5000", &["localhost:5000"]),
            (Registry, "[::1]:5000", &["[::1]:5000"]),
            (Registry, "docker.io", &["docker.io"]),
            (
                Api,
                "ghcr.io",
                &["https://ghcr.io", "HTTPS://ghcr.io//", "https://ghcr.io/v1/", "https://ghcr.io/v2", "ghcr.io/v2/"],
            ),
            (Api, "localhost:5000", &["http://localhost:5000"]),
            (Url, "ghcr.io", &["https://ghcr.io/login"]),
            (Url, "docker.io", &["https://index.docker.io/v1/access-token"]),
            (Alias, "docker.io", &["index.docker.io", "registry-1.docker.io"]),
            (Legacy, "docker.io", &["https://index.docker.io/v1/"]),
        ] {
            for key in keys {
                assert_eq!(specificity(key, registry, ""), Some(expected), "{key} for {registry}");
            }
        }
    }

    #[test]
    fn keys_do_not_match_other_registries() {
        for (registry, keys) in [
            ("localhost", &["localhost:5000"][..]),
            ("localhost:5000", &["localhost"]),
            ("registry.io.evil.com", &["registry.io"]),
            ("sub.registry.io", &["registry.io", "*.registry.io"]),
            (
                "registry.io",
                &[
                    "registry.io.evil.com",
                    "https://registry.io@evil.com/",
                    "https://evil.com/registry.io",
                    "ftp://registry.io",
                    "not a host",
                    "",
                ],
            ),
        ] {
            for key in keys {
                assert_eq!(specificity(key, registry, ""), None, "{key} for {registry}");
            }
        }
    }

    #[test]
    fn keys_with_a_path_match_repositories_by_whole_segments() {
        for (key, registry, repository, segments) in [
            ("docker.io/acme", "docker.io", "acme/app", 1),
            ("ghcr.io/org", "ghcr.io", "org/repo", 1),
            ("ghcr.io/org/repo", "ghcr.io", "org/repo", 2),
            ("ghcr.io/org/repo/", "ghcr.io", "org/repo/deeper", 2),
        ] {
            let expected = Some(Specificity::Repositories(segments));
            assert_eq!(specificity(key, registry, repository), expected, "{key} for {registry} {repository}");
        }
        for (key, registry, repository) in [
            ("ghcr.io/org/re", "ghcr.io", "org/repo"),
            ("ghcr.io/org/repo", "ghcr.io", "org"),
            ("ghcr.io/org", "ghcr.io", ""),
            ("ghcr.io/org", "quay.io", "org/repo"),
        ] {
            assert_eq!(specificity(key, registry, repository), None, "{key} for {registry} {repository:?}");
        }
    }
}

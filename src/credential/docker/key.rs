//! The keys under which docker's and podman's files store credentials, and how specifically a key matches a request.
//!
//! The same registry may occur as `ghcr.io`, `https://ghcr.io` or `https://ghcr.io/v2/`; podman also has keys for a
//! part of a registry, such as `ghcr.io/org/repo`, and pull secrets of Kubernetes have patterns. Keys are compared by
//! parsed hosts. A path that is the beginning of a repository's name by whole segments precedes all else, as in podman;
//! one that ends within a segment, and patterns, count where no other key matches, as in the kubelet.

use std::fmt;

use super::host_pattern::HostPattern;
use crate::base::host::RegistryHost;
use crate::credential::CredentialRequest;
use crate::oci::name::RepositoryName;
use crate::profile::canonical_host;

/// A key of `auths` or `credHelpers`.
pub(super) struct ConfigKey {
    text: Box<str>,
    /// `None` for a key without a valid host, which matches only as a legacy key of the request.
    parsed: Option<Parsed>,
}

#[derive(Debug)]
enum Parsed {
    Host(ParsedKey),
    Pattern(PatternKey),
}

/// A key with wildcards in its host.
#[derive(Debug)]
struct PatternKey {
    host: HostPattern,
    /// With its leading slash; empty if the key is for every repository.
    path: Box<str>,
    /// Host and path. The kubelet tries keys in the reverse order of this text.
    order: Box<str>,
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
pub(super) enum Specificity<'a> {
    /// A legacy key that names another registry, whose credential is valid for this one too.
    OtherRegistry,
    /// A pattern of hosts, and its [`PatternKey::order`].
    Pattern(&'a str),
    /// The beginning of the repository's name, of this many bytes, which ends within a segment.
    NameBeginning(usize),
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
        Self { text: text.into(), parsed: Parsed::parse(text.trim()) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the key has a host or a pattern of hosts.
    pub(super) fn is_valid(&self) -> bool {
        self.parsed.is_some()
    }

    /// Whether the key's host has wildcards.
    pub(super) fn is_pattern(&self) -> bool {
        matches!(self.parsed, Some(Parsed::Pattern(_)))
    }

    /// Whether the key's path has a wildcard, which makes it match no repository.
    pub(super) fn has_wildcard_in_path(&self) -> bool {
        match &self.parsed {
            Some(Parsed::Host(ParsedKey { kind: KeyKind::Repositories(segments), .. })) => {
                segments.iter().any(|segment| segment.contains('*'))
            }
            Some(Parsed::Pattern(PatternKey { path, .. })) => path.contains('*'),
            _ => false,
        }
    }

    /// Whether the key is a name or URL of this registry.
    fn is_of(&self, registry: &RegistryHost) -> bool {
        matches!(&self.parsed, Some(Parsed::Host(key)) if key.canonical == canonical_host(registry))
    }

    /// `None` if the key does not match.
    pub(super) fn specificity(&self, request: &CredentialRequest<'_>) -> Option<Specificity<'_>> {
        if request.legacy_keys.contains(&&*self.text) {
            return Some(if self.is_of(request.registry) { Specificity::Legacy } else { Specificity::OtherRegistry });
        }
        match self.parsed.as_ref()? {
            Parsed::Host(key) => key.specificity(request),
            Parsed::Pattern(key) => key.matches(request).then_some(Specificity::Pattern(&key.order)),
        }
    }
}

impl fmt::Debug for ConfigKey {
    /// A key without a valid host is not printed: it may contain a secret, such as a URL with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.parsed.is_some() { &self.text } else { "(not the name of a registry)" })
    }
}

impl Parsed {
    fn parse(text: &str) -> Option<Self> {
        let (is_url, rest) = match text.split_once("://") {
            Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                (true, rest)
            }
            Some(_) => return None,
            None => (false, text),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        match HostPattern::parse(host) {
            Some(host) => Some(Self::Pattern(PatternKey::new(host, rest))),
            None => Some(Self::Host(ParsedKey::new(is_url, RegistryHost::parse(host).ok()?, path))),
        }
    }
}

impl PatternKey {
    /// `text` is the key without its scheme.
    fn new(host: HostPattern, text: &str) -> Self {
        let (name, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        // The paths of the registry APIs stand for the whole registry.
        let is_api = ["/v1/", "/v2/"].iter().any(|api| path.starts_with(api));
        let path = if is_api { &path["/v1".len()..] } else { path };
        let path = if path == "/" { "" } else { path };
        let order = format!("{}{path}", name.to_ascii_lowercase()).into();
        Self { host, path: path.into(), order }
    }

    fn matches(&self, request: &CredentialRequest<'_>) -> bool {
        let is_in_path = || match (self.path.strip_prefix('/'), request.repository) {
            (None, _) => true,
            (Some(beginning), Some(repository)) => repository.as_str().starts_with(beginning),
            (Some(_), None) => false,
        };
        self.host.matches(request.registry) && is_in_path()
    }
}

impl ParsedKey {
    fn new(is_url: bool, host: RegistryHost, path: &str) -> Self {
        let segments: Box<[Box<str>]> = path.split('/').filter(|segment| !segment.is_empty()).map(Into::into).collect();
        let is_api = matches!(&*segments, [only] if matches!(&**only, "v1" | "v2"));
        let kind = match (is_url, segments.is_empty()) {
            _ if is_api => KeyKind::Api,
            (true, true) => KeyKind::Api,
            (true, false) => KeyKind::Url,
            (false, true) => KeyKind::Registry,
            (false, false) => KeyKind::Repositories(segments),
        };
        Self { canonical: canonical_host(&host), host, kind }
    }

    fn specificity(&self, request: &CredentialRequest<'_>) -> Option<Specificity<'static>> {
        if self.canonical != canonical_host(request.registry) {
            return None;
        }
        Some(match &self.kind {
            KeyKind::Registry if self.host == *request.registry => Specificity::Registry,
            KeyKind::Registry => Specificity::Alias,
            KeyKind::Api => Specificity::Api,
            KeyKind::Url => Specificity::Url,
            KeyKind::Repositories(segments) => {
                let repository = request.repository?;
                let beginning = segments.join("/");
                if has_prefix(repository, segments) {
                    Specificity::Repositories(segments.len())
                } else if repository.as_str().starts_with(&beginning) {
                    Specificity::NameBeginning(beginning.len())
                } else {
                    return None;
                }
            }
        })
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

    /// The specificity, with the text of a pattern left out.
    fn specificity(key: &str, registry: &str, repository: &str) -> Option<Specificity<'static>> {
        let key = ConfigKey::parse(key);
        Some(match key.specificity(&RequestContext::new(registry, repository).request())? {
            Specificity::OtherRegistry => Specificity::OtherRegistry,
            Specificity::Pattern(_) => Specificity::Pattern(""),
            Specificity::NameBeginning(len) => Specificity::NameBeginning(len),
            Specificity::Url => Specificity::Url,
            Specificity::Api => Specificity::Api,
            Specificity::Alias => Specificity::Alias,
            Specificity::Registry => Specificity::Registry,
            Specificity::Legacy => Specificity::Legacy,
            Specificity::Repositories(segments) => Specificity::Repositories(segments),
        })
    }

    #[test]
    fn keys_match_registries_by_parsed_hosts() {
        use Specificity::{Alias, Api, Legacy, OtherRegistry, Registry, Url};
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
            (OtherRegistry, "dhi.io", &["https://index.docker.io/v1/"]),
            (Registry, "dhi.io", &["dhi.io"]),
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
            ("sub.registry.io", &["registry.io", "*.*.registry.io", "*.registry.io:5000", "u@*.registry.io"]),
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
            ("ghcr.io/org/repo", "ghcr.io", "org"),
            ("ghcr.io/org", "ghcr.io", ""),
            ("ghcr.io/org", "quay.io", "org/repo"),
            ("ghcr.io/org/*", "ghcr.io", "org/repo"),
        ] {
            assert_eq!(specificity(key, registry, repository), None, "{key} for {registry} {repository:?}");
        }
        let within_a_segment = specificity("ghcr.io/org/re", "ghcr.io", "org/repo");
        assert_eq!(within_a_segment, Some(Specificity::NameBeginning("org/re".len())));
        assert!(within_a_segment < specificity("https://ghcr.io/login", "ghcr.io", "org/repo"));
    }

    /// The cases of the kubelet's own tests, and what follows from its source.
    #[test]
    fn patterns_match_hosts_and_beginnings_of_names() {
        for (key, registry, repository) in [
            ("https://*.docker.io", "prefix.docker.io", "foo/bar"),
            ("*.kubernetes.io/blah", "prefix.kubernetes.io", "blah"),
            ("https://prefix.*.io/path", "prefix.docker.io", "path/subpath/foo"),
            ("*.docker.io/pa", "prefix.docker.io", "path"),
            ("https://*.docker.io/v1/", "prefix.docker.io", "path"),
            ("https://*.docker.io/v2/", "prefix.docker.io", ""),
            ("https://*.docker.io/v2/team", "prefix.docker.io", "team/app"),
            ("*.docker.io/", "prefix.docker.io", ""),
            ("http://*.docker.io:8888", "prefix.docker.io:8888", "path"),
            ("*.dkr.ecr.*.amazonaws.com", "1.dkr.ecr.eu-west-2.amazonaws.com", "a"),
        ] {
            assert_eq!(specificity(key, registry, repository), Some(Specificity::Pattern("")), "{key} for {registry}");
        }
        for (key, registry, repository) in [
            ("*.docker.io/path", "prefix.docker.io", "pa"),
            ("*.docker.io/path", "prefix.docker.io", ""),
            ("*.docker.io/path/", "prefix.docker.io", "path"),
            ("*.docker.io/*", "prefix.docker.io", "path"),
            ("*.docker.io/v2", "prefix.docker.io", "path"),
            ("*.docker.io", "docker.io", "library/python"),
        ] {
            assert_eq!(specificity(key, registry, repository), None, "{key} for {registry} {repository}");
        }
        assert_eq!(specificity("docker.*", "docker.io", "library/python"), Some(Specificity::Pattern("")));
    }

    #[test]
    fn keys_that_match_nothing_are_recognized() {
        for (key, is_valid, is_pattern, has_wildcard_in_path) in [
            ("a.io", true, false, false),
            ("*.a.io/team", true, true, false),
            ("a.io/team*", true, false, true),
            ("https://*.a.io/*", true, true, true),
            ("not a host", false, false, false),
        ] {
            let key = ConfigKey::parse(key);
            let found = (key.is_valid(), key.is_pattern(), key.has_wildcard_in_path());
            assert_eq!(found, (is_valid, is_pattern, has_wildcard_in_path), "{}", key.as_str());
        }
    }
}

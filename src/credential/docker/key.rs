//! The names under which logins are kept, and how closely one names what is wanted.
//!
//! The same registry stands in these files as `ghcr.io`, `https://ghcr.io`, `https://ghcr.io/v2/`; podman adds
//! `ghcr.io/org/repo` for parts of it. All comparing is done on parsed hosts and whole path segments.

use std::fmt;

use crate::base::host::RegistryHost;
use crate::credential::Wanted;
use crate::oci::name::RepositoryName;
use crate::profile::canonical_host;

/// A key of `auths` or `credHelpers`.
pub(super) struct Key {
    text: Box<str>,
    /// `None` for a key that names no host: it is never meant.
    named: Option<Named>,
}

#[derive(Debug)]
struct Named {
    host: RegistryHost,
    canonical: RegistryHost,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// The registry, by its bare name.
    Registry,
    /// The registry, by the URL of its API.
    Api,
    /// The registry, by some other URL on it.
    Url,
    /// Part of the registry, as podman has it.
    Repositories(Box<[Box<str>]>),
}

/// How closely a key names what is wanted; the greatest is the one to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closeness {
    Url,
    Api,
    /// Another name of the same registry.
    Alias,
    Registry,
    /// The very key that the registry's logins are kept under.
    Legacy,
    /// So many segments of the repository's name.
    Repositories(usize),
}

impl Key {
    pub(super) fn parse(text: &str) -> Self {
        Self { text: text.into(), named: Named::parse(text.trim()) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn closeness(&self, wanted: &Wanted<'_>) -> Option<Closeness> {
        if wanted.legacy_keys.contains(&&*self.text) {
            return Some(Closeness::Legacy);
        }
        let named = self.named.as_ref()?;
        if named.canonical != canonical_host(wanted.registry) {
            return None;
        }
        Some(match &named.place {
            Place::Registry if named.host == *wanted.registry => Closeness::Registry,
            Place::Registry => Closeness::Alias,
            Place::Api => Closeness::Api,
            Place::Url => Closeness::Url,
            Place::Repositories(segments) => {
                return wanted
                    .repository
                    .is_some_and(|repository| is_below(repository, segments))
                    .then_some(Closeness::Repositories(segments.len()));
            }
        })
    }
}

impl fmt::Debug for Key {
    /// A key that is no name may hold anything: a URL with a password in it, for one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.named.is_some() { &self.text } else { "(not the name of a registry)" })
    }
}

impl Named {
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
        let place = match (is_url, segments.is_empty()) {
            _ if is_api => Place::Api,
            (true, true) => Place::Api,
            (true, false) => Place::Url,
            (false, true) => Place::Registry,
            (false, false) => Place::Repositories(segments),
        };
        Some(Self { canonical: canonical_host(&host), host, place })
    }
}

fn is_below(repository: &RepositoryName, segments: &[Box<str>]) -> bool {
    let mut components = repository.components();
    segments.iter().all(|segment| components.next() == Some(segment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::tests::Asker;

    #[test]
    fn keys_name_registries_by_parsed_hosts() {
        use Closeness::{Alias, Api, Legacy, Registry, Repositories, Url};
        for (key, registry, repository, closeness) in [
            ("ghcr.io", "ghcr.io", "", Some(Registry)),
            ("GHCR.io", "ghcr.io", "", Some(Registry)),
            ("ghcr.io/", "ghcr.io", "", Some(Registry)),
            ("ghcr.io:443", "ghcr.io", "", Some(Registry)),
            ("https://ghcr.io", "ghcr.io", "", Some(Api)),
            ("HTTPS://ghcr.io//", "ghcr.io", "", Some(Api)),
            ("https://ghcr.io/v1/", "ghcr.io", "", Some(Api)),
            ("https://ghcr.io/v2", "ghcr.io", "", Some(Api)),
            ("ghcr.io/v2/", "ghcr.io", "", Some(Api)),
            ("https://ghcr.io/login", "ghcr.io", "", Some(Url)),
            ("http://localhost:5000", "localhost:5000", "", Some(Api)),
            ("localhost:5000", "localhost:5000", "", Some(Registry)),
            ("[::1]:5000", "[::1]:5000", "", Some(Registry)),
            ("localhost", "localhost:5000", "", None),
            ("localhost:5000", "localhost", "", None),
            ("registry.io", "registry.io.evil.com", "", None),
            ("registry.io.evil.com", "registry.io", "", None),
            ("https://registry.io@evil.com/", "registry.io", "", None),
            ("https://evil.com/registry.io", "registry.io", "", None),
            ("registry.io", "sub.registry.io", "", None),
            ("*.registry.io", "sub.registry.io", "", None),
            ("ftp://registry.io", "registry.io", "", None),
            ("", "registry.io", "", None),
            ("not a host", "registry.io", "", None),
            ("https://index.docker.io/v1/", "docker.io", "", Some(Legacy)),
            ("https://index.docker.io/v1/access-token", "docker.io", "", Some(Url)),
            ("index.docker.io", "docker.io", "", Some(Alias)),
            ("registry-1.docker.io", "docker.io", "", Some(Alias)),
            ("docker.io", "docker.io", "", Some(Registry)),
            ("docker.io/acme", "docker.io", "acme/app", Some(Repositories(1))),
            ("ghcr.io/org/repo", "ghcr.io", "org/repo", Some(Repositories(2))),
            ("ghcr.io/org/repo/", "ghcr.io", "org/repo/deeper", Some(Repositories(2))),
            ("ghcr.io/org", "ghcr.io", "org/repo", Some(Repositories(1))),
            ("ghcr.io/org/re", "ghcr.io", "org/repo", None),
            ("ghcr.io/org/repo", "ghcr.io", "org", None),
            ("ghcr.io/org", "ghcr.io", "", None),
            ("ghcr.io/org", "quay.io", "org/repo", None),
        ] {
            let asker = Asker::new(registry, repository);
            assert_eq!(Key::parse(key).closeness(&asker.wanted()), closeness, "{key} for {registry} {repository:?}");
        }
    }
}

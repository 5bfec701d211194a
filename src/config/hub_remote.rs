//! Registries, or parts of them, that mirror Docker Hub.

use std::fmt;

use crate::oci::name::{InvalidRepositoryName, RepositoryName};

/// The part of a registry that mirrors Docker Hub: the repositories below a name, as with the proxy projects of Harbor
/// and the remote repositories of Artifactory, or all repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubRemote {
    Everywhere,
    Below(RepositoryName),
}

impl HubRemote {
    /// Parses `/`, for the whole registry, or a name.
    pub fn parse(text: &str) -> Result<Self, InvalidRepositoryName> {
        if text == "/" { Ok(Self::Everywhere) } else { RepositoryName::parse(text).map(Self::Below) }
    }

    /// The registry's own name for a repository that a client calls `name`; `None` where `name` is not part of the
    /// mirror. `at_hub` turns a short name into the full name at Docker Hub (`python` into `library/python`).
    pub fn full_repository_name(
        &self,
        name: &RepositoryName,
        at_hub: impl Fn(RepositoryName) -> RepositoryName,
    ) -> Option<RepositoryName> {
        match self {
            Self::Everywhere => Some(at_hub(name.clone())),
            Self::Below(remote) => {
                let rest = name.as_str().strip_prefix(remote.as_str())?.strip_prefix('/')?;
                let full_name = at_hub(RepositoryName::parse(rest).ok()?);
                RepositoryName::parse(&format!("{remote}/{full_name}")).ok()
            }
        }
    }
}

impl fmt::Display for HubRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("/"),
            Self::Below(remote) => remote.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_in_the_mirror_get_the_library_namespace() {
        for (remote, name, full_name) in [
            ("hubproxy", "hubproxy/python", Some("hubproxy/library/python")),
            ("hubproxy", "hubproxy/toddysm/python", Some("hubproxy/toddysm/python")),
            ("hubproxy", "hubproxy", None),
            ("hubproxy", "hubproxy2/python", None),
            ("hubproxy", "team/python", None),
            ("caches/hub", "caches/hub/python", Some("caches/hub/library/python")),
            ("caches/hub", "caches/python", None),
            ("/", "python", Some("library/python")),
            ("/", "toddysm/python", Some("toddysm/python")),
        ] {
            let remote = HubRemote::parse(remote).unwrap();
            let got = remote
                .full_repository_name(&RepositoryName::parse(name).unwrap(), |name| name.in_namespace(Some("library")));
            assert_eq!(got.as_ref().map(RepositoryName::as_str), full_name, "{name} at {remote}");
        }
        assert!(HubRemote::parse("/hubproxy").is_err() && HubRemote::parse("").is_err());
    }
}

//! Registries, or parts of them, that stand for Docker Hub.

use std::fmt;

use crate::oci::name::{BadName, RepositoryName};

/// Where a registry keeps what it fetches from Docker Hub: below a name, as Harbor's proxy projects and Artifactory's
/// remote repositories do, or everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubRemote {
    Everywhere,
    Below(RepositoryName),
}

impl HubRemote {
    /// Reads `/` or a name.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if text == "/" { Ok(Self::Everywhere) } else { RepositoryName::parse(text).map(Self::Below) }
    }

    /// What `name` is called there, once `at_hub` has said what Docker Hub itself calls it; `None` outside.
    pub fn place(
        &self,
        name: &RepositoryName,
        at_hub: impl Fn(RepositoryName) -> RepositoryName,
    ) -> Option<RepositoryName> {
        match self {
            Self::Everywhere => Some(at_hub(name.clone())),
            Self::Below(remote) => {
                let rest = name.as_str().strip_prefix(remote.as_str())?.strip_prefix('/')?;
                let placed = at_hub(RepositoryName::parse(rest).ok()?);
                RepositoryName::parse(&format!("{remote}/{placed}")).ok()
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
    fn only_short_names_within_the_remote_are_moved() {
        for (remote, name, placed) in [
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
            let got = remote.place(&RepositoryName::parse(name).unwrap(), |name| name.in_namespace(Some("library")));
            assert_eq!(got.as_ref().map(RepositoryName::as_str), placed, "{name} at {remote}");
        }
        assert!(HubRemote::parse("/hubproxy").is_err() && HubRemote::parse("").is_err());
    }
}

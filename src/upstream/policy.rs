//! The rules that the configuration sets for one registry.

use std::collections::BTreeSet;

use crate::config::model::{Redirects, RepositoryRules};
use crate::credential::registry_credentials::RegistryCredentials;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;

/// What clients may do at a registry, how blob redirects are answered, and which credentials regpass uses.
#[derive(Debug)]
pub struct RegistryPolicy {
    pub allow: BTreeSet<Access>,
    pub repositories: RepositoryRules,
    pub redirects: Redirects,
    /// Whether blobs are verified by their digest.
    pub verify: bool,
    pub credentials: RegistryCredentials,
}

impl RegistryPolicy {
    /// Whether the allow-lists of `repositories` permit `access` to the repository. An access without a list is
    /// permitted everywhere.
    pub fn allows_repository(&self, access: Access, name: &RepositoryName) -> bool {
        self.repositories.0.get(&access).is_none_or(|patterns| patterns.matches(name))
    }
}

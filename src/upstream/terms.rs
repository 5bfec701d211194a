//! What the configuration lets happen at a registry, and with which logins.

use std::collections::BTreeSet;

use crate::config::model::{Redirects, RepositoryRules};
use crate::credential::chain::Credentials;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;

#[derive(Debug)]
pub struct Terms {
    pub allow: BTreeSet<Access>,
    pub repositories: RepositoryRules,
    pub redirects: Redirects,
    pub credentials: Credentials,
}

impl Terms {
    /// Whether the configuration's allow-lists let `access` happen to a repository.
    pub fn permits(&self, access: Access, name: &RepositoryName) -> bool {
        self.repositories.0.get(&access).is_none_or(|patterns| patterns.matches(name))
    }
}

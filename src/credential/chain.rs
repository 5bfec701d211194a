//! Whose credential serves which client and which repository of one registry.

use std::sync::Arc;

use super::CredentialProvider;
use super::sources::Sources;
use crate::base::client_name::ClientName;
use crate::config::model::{CredentialSource, Identity};
use crate::oci::name::RepositoryName;

/// The credentials of one registry: its own, and those of its identities.
#[derive(Debug)]
pub struct Credentials {
    identities: Vec<(Identity, Arc<dyn CredentialProvider>)>,
    own: Arc<dyn CredentialProvider>,
}

impl Credentials {
    pub fn new(own: &CredentialSource, identities: &[Identity], sources: &Sources) -> Self {
        let identity = |identity: &Identity| (identity.clone(), sources.build(&identity.credential));
        Self { identities: identities.iter().map(identity).collect(), own: sources.build(own) }
    }

    /// The identity for a client and a repository. One that names the client comes before those that are for all; then
    /// the one whose patterns name the repository most closely; of equals, the first in the file. The registry's own
    /// credential where there is none. What concerns no repository is only for identities without patterns.
    pub fn choose(
        &self,
        client: Option<&ClientName>,
        repository: Option<&RepositoryName>,
    ) -> &Arc<dyn CredentialProvider> {
        let mut closest = (None, &self.own);
        for (identity, provider) in &self.identities {
            let rank = rank(identity, client, repository);
            if rank > closest.0 {
                closest = (rank, provider);
            }
        }
        closest.1
    }
}

/// Whether an identity names the client, and how closely it names the repository. `None`: it is not for them.
fn rank(
    identity: &Identity,
    client: Option<&ClientName>,
    repository: Option<&RepositoryName>,
) -> Option<(bool, Option<usize>)> {
    let is_named = client.is_some_and(|client| identity.clients.contains(client));
    if !is_named && !identity.clients.is_empty() {
        return None;
    }
    match &identity.repositories {
        None => Some((is_named, None)),
        Some(patterns) => Some((is_named, Some(patterns.specificity(repository?)?))),
    }
}

#[cfg(test)]
mod tests;

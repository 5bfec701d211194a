//! Whose credential serves which repository of one registry.

use std::sync::Arc;

use super::CredentialProvider;
use super::sources::Sources;
use crate::config::model::{CredentialSource, Identity};
use crate::config::patterns::RepositoryPatterns;
use crate::oci::name::RepositoryName;

/// The credentials of one registry: its own, and those of its identities.
#[derive(Debug)]
pub struct Credentials {
    identities: Vec<(RepositoryPatterns, Arc<dyn CredentialProvider>)>,
    own: Arc<dyn CredentialProvider>,
}

impl Credentials {
    pub fn new(own: &CredentialSource, identities: &[Identity], sources: &Sources) -> Self {
        let identity = |identity: &Identity| (identity.repositories.clone(), sources.build(&identity.credential));
        Self { identities: identities.iter().map(identity).collect(), own: sources.build(own) }
    }

    /// The identity whose patterns name the repository most closely (of equals, the first in the file); the registry's
    /// own credential where none does, and for what concerns no repository.
    pub fn for_repository(&self, repository: Option<&RepositoryName>) -> &Arc<dyn CredentialProvider> {
        let mut closest = (None, &self.own);
        for (patterns, provider) in repository.map(|_| &self.identities).into_iter().flatten() {
            let specificity = repository.and_then(|repository| patterns.specificity(repository));
            if specificity > closest.0 {
                closest = (specificity, provider);
            }
        }
        closest.1
    }
}

#[cfg(test)]
mod tests;

//! Whose credential serves which repository of one registry.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::sources::Sources;
use super::{CredentialError, CredentialId, CredentialProvider, Fetch, Found, Wanted};
use crate::config::model::{CredentialSource, Identity};
use crate::config::patterns::RepositoryPatterns;
use crate::oci::name::RepositoryName;

/// The credentials of one registry: its own, and those of its identities.
#[derive(Debug)]
pub struct Credentials {
    identities: Vec<(RepositoryPatterns, Arc<Login>)>,
    own: Arc<Login>,
}

/// One configured source, and what it last said to this registry.
#[derive(Debug)]
pub struct Login {
    /// The configuration's word for the source.
    pub source: &'static str,
    provider: Arc<dyn CredentialProvider>,
    last: Mutex<Option<Said>>,
}

/// What a source last said.
#[derive(Clone, Debug)]
pub enum Said {
    Found {
        id: CredentialId,
        /// As [`Found::identity`].
        identity: Box<str>,
        expires: Option<Instant>,
    },
    /// Why there is nothing, and what to do.
    Failed(Box<str>),
}

impl Credentials {
    pub fn new(own: &CredentialSource, identities: &[Identity], sources: &Sources) -> Self {
        let login = |source: &CredentialSource| {
            let provider = sources.build(source);
            Arc::new(Login { source: source.name(), provider, last: Mutex::default() })
        };
        let identity = |identity: &Identity| (identity.repositories.clone(), login(&identity.credential));
        Self { identities: identities.iter().map(identity).collect(), own: login(own) }
    }

    /// The identity whose patterns name the repository most closely (of equals, the first in the file); the registry's
    /// own credential where none does, and for what concerns no repository.
    pub fn for_repository(&self, repository: Option<&RepositoryName>) -> &Arc<Login> {
        let mut closest = (None, &self.own);
        for (patterns, login) in repository.map(|_| &self.identities).into_iter().flatten() {
            let specificity = repository.and_then(|repository| patterns.specificity(repository));
            if specificity > closest.0 {
                closest = (specificity, login);
            }
        }
        closest.1
    }

    /// The registry's own first; with each identity the repositories that it is for.
    pub fn all(&self) -> impl Iterator<Item = (Option<&RepositoryPatterns>, &Login)> {
        let identities = self.identities.iter().map(|(patterns, login)| (Some(patterns), &**login));
        std::iter::once((None, &*self.own)).chain(identities)
    }
}

impl Login {
    /// What it last said; `None` before it was first asked.
    pub fn said(&self) -> Option<Said> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, outcome: &Result<Found, CredentialError>) {
        let said = match outcome {
            Ok(found) => Said::Found { id: found.id, identity: found.identity().into(), expires: found.expires },
            Err(error) => Said::Failed(error.what.as_str().into()),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }
}

impl CredentialProvider for Login {
    fn fetch<'a>(&'a self, wanted: &'a Wanted<'a>) -> Fetch<'a> {
        Box::pin(async {
            let outcome = self.provider.fetch(wanted).await;
            self.note(&outcome);
            outcome
        })
    }

    fn refused(&self, id: CredentialId) {
        self.provider.refused(id);
    }

    fn doubted(&self, id: CredentialId) {
        self.provider.doubted(id);
    }
}

#[cfg(test)]
mod tests;

//! Whose credential serves which client and which repository of one registry.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::sources::Sources;
use super::{CredentialError, CredentialId, CredentialProvider, Fetch, Found, Wanted};
use crate::base::client_name::ClientName;
use crate::config::model::{CredentialSource, Identity};
use crate::oci::name::RepositoryName;

/// The credentials of one registry: its own, and those of its identities.
#[derive(Debug)]
pub struct Credentials {
    identities: Vec<(Identity, Arc<Login>)>,
    own: Arc<Login>,
}

/// One configured source, and what it last said to this registry.
#[derive(Debug)]
pub struct Login {
    configured: CredentialSource,
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
    /// `before` are those of the same registry under another configuration: a source that stays keeps what it said.
    pub fn new(own: &CredentialSource, identities: &[Identity], sources: &Sources, before: Option<&Self>) -> Self {
        let login = |source: &CredentialSource, known: Option<&Arc<Login>>| {
            known.filter(|login| login.configured == *source).cloned().unwrap_or_else(|| {
                let provider = sources.build(source);
                Arc::new(Login { configured: source.clone(), provider, last: Mutex::default() })
            })
        };
        let identity = |identity: &Identity| {
            let before = before.and_then(|before| before.identities.iter().find(|(known, _)| known == identity));
            (identity.clone(), login(&identity.credential, before.map(|(_, login)| login)))
        };
        let identities = identities.iter().map(identity).collect();
        Self { identities, own: login(own, before.map(|before| &before.own)) }
    }

    /// The identity for a client and a repository. One that names the client comes before those that are for all; then
    /// the one whose patterns name the repository most closely; of equals, the first in the file. The registry's own
    /// credential where there is none. What concerns no repository is only for identities without patterns.
    pub fn choose(&self, client: Option<&ClientName>, repository: Option<&RepositoryName>) -> &Arc<Login> {
        let mut closest = (None, &self.own);
        for (identity, login) in &self.identities {
            let rank = rank(identity, client, repository);
            if rank > closest.0 {
                closest = (rank, login);
            }
        }
        closest.1
    }

    /// The registry's own first; then its identities.
    pub fn all(&self) -> impl Iterator<Item = (Option<&Identity>, &Login)> {
        let identities = self.identities.iter().map(|(identity, login)| (Some(identity), &**login));
        std::iter::once((None, &*self.own)).chain(identities)
    }
}

impl Login {
    /// The configuration's word for the source.
    pub fn source(&self) -> &'static str {
        self.configured.name()
    }

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

//! Selects the credential of one registry for a client and a repository.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::sources::Sources;
use super::{
    CredentialError, CredentialFuture, CredentialId, CredentialProvider, CredentialRequest, ResolvedCredential,
};
use crate::base::client_name::ClientName;
use crate::config::model::{CredentialSource, Identity};
use crate::oci::name::RepositoryName;

/// All credentials of one registry.
#[derive(Debug)]
pub struct RegistryCredentials {
    identities: Vec<(Identity, Arc<TrackedSource>)>,
    /// The registry's own credential, used where no identity matches.
    own: Arc<TrackedSource>,
}

/// One configured source, with the outcome of its latest use for this registry.
#[derive(Debug)]
pub struct TrackedSource {
    configured: CredentialSource,
    provider: Arc<dyn CredentialProvider>,
    last_outcome: Mutex<Option<LastOutcome>>,
}

/// The outcome of a source's latest use, without secrets.
#[derive(Clone, Debug)]
pub enum LastOutcome {
    Credential {
        id: CredentialId,
        /// As [`ResolvedCredential::identity`].
        identity: Box<str>,
        expires: Option<Instant>,
    },
    /// The message of the error.
    Failed(Box<str>),
}

impl RegistryCredentials {
    /// `before` are the credentials of the same registry in the previous configuration. An unchanged source keeps its
    /// last outcome.
    pub fn new(own: &CredentialSource, identities: &[Identity], sources: &Sources, before: Option<&Self>) -> Self {
        let track = |source: &CredentialSource, known: Option<&Arc<TrackedSource>>| {
            known.filter(|known| known.configured == *source).cloned().unwrap_or_else(|| {
                let provider = sources.provider_for(source);
                Arc::new(TrackedSource { configured: source.clone(), provider, last_outcome: Mutex::default() })
            })
        };
        let identity = |identity: &Identity| {
            let before = before.and_then(|before| before.identities.iter().find(|(known, _)| known == identity));
            (identity.clone(), track(&identity.credential, before.map(|(_, source)| source)))
        };
        let identities = identities.iter().map(identity).collect();
        Self { identities, own: track(own, before.map(|before| &before.own)) }
    }

    /// Selects the source for a client and a repository. An identity that names the client precedes those for all
    /// clients; then the one with the most specific pattern for the repository; then the first in the file. Without a
    /// matching identity the registry's own source is selected. A request without a repository matches only identities
    /// without patterns.
    pub fn select(&self, client: Option<&ClientName>, repository: Option<&RepositoryName>) -> &Arc<TrackedSource> {
        let mut best = (None, &self.own);
        for (identity, source) in &self.identities {
            let rank = rank(identity, client, repository);
            if rank > best.0 {
                best = (rank, source);
            }
        }
        best.1
    }

    /// All sources, first the registry's own (`None`), then those of its identities.
    pub fn all(&self) -> impl Iterator<Item = (Option<&Identity>, &TrackedSource)> {
        let identities = self.identities.iter().map(|(identity, source)| (Some(identity), &**source));
        std::iter::once((None, &*self.own)).chain(identities)
    }
}

impl TrackedSource {
    /// The value of `source` in the configuration.
    pub fn source(&self) -> &'static str {
        self.configured.name()
    }

    /// The outcome of the latest use; `None` before the first.
    pub fn last_outcome(&self) -> Option<LastOutcome> {
        self.last_outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, outcome: &Result<ResolvedCredential, CredentialError>) {
        let summary = match outcome {
            Ok(resolved) => {
                let identity = resolved.identity().into();
                LastOutcome::Credential { id: resolved.id, identity, expires: resolved.expires }
            }
            Err(error) => LastOutcome::Failed(error.message.as_str().into()),
        };
        *self.last_outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(summary);
    }
}

impl CredentialProvider for TrackedSource {
    fn fetch<'a>(&'a self, request: &'a CredentialRequest<'a>) -> CredentialFuture<'a> {
        Box::pin(async {
            let outcome = self.provider.fetch(request).await;
            self.record(&outcome);
            outcome
        })
    }

    fn note_rejected(&self, id: CredentialId) {
        self.provider.note_rejected(id);
    }

    fn note_suspect(&self, id: CredentialId) {
        self.provider.note_suspect(id);
    }
}

/// How well an identity matches: whether it names the client, and how specifically it names the repository. `None` if
/// it does not match.
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

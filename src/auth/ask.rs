//! The description of a request for which authorization is needed.

use std::sync::Arc;
use std::time::Duration;

use super::error::AuthError;
use crate::credential::{Credential, CredentialId, CredentialProvider, CredentialRequest, ResolvedCredential};
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;
use crate::oci::scope::ScopeSet;
use crate::upstream::SharedUpstream;

/// Everything about a request that its authorization depends on.
#[derive(Clone, Debug)]
pub struct Ask {
    pub upstream: SharedUpstream,
    /// The source of the credential for this client and repository.
    pub credentials: Arc<dyn CredentialProvider>,
    pub repository: Option<RepositoryName>,
    /// The scopes computed from operation and profile, before any correction by a challenge.
    pub scopes: ScopeSet,
    pub access: Access,
    /// Whether the request lists tags, for which a registry may want more than for a pull (ACR does).
    pub is_tag_list: bool,
    pub credential_use: CredentialUse,
    /// How long the authorization has to last: as long as sending the request's body is expected to take.
    pub min_lifetime: Duration,
}

/// Whether an operation needs a credential, and how the registry takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialUse {
    /// A credential is used if there is one; public content needs none.
    #[default]
    Optional,
    /// Without a credential regpass denies the request.
    Required,
    /// As `Required`; the credential itself goes to the registry, not a token.
    Direct,
}

/// The key under which the outcome of a request is remembered. Tag lists have keys of their own, because a registry
/// that refuses a tag list, or wants further scopes for it, may still allow pulls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AskKey {
    pub scopes: ScopeSet,
    pub is_tag_list: bool,
}

impl Ask {
    pub(super) fn key(&self) -> AskKey {
        AskKey { scopes: self.scopes.clone(), is_tag_list: self.is_tag_list }
    }

    /// The keys whose remembered outcomes apply to this request: its own and, for a tag list, that of a pull.
    pub(super) fn applicable_keys(&self) -> impl Iterator<Item = AskKey> {
        let pull = AskKey { scopes: self.scopes.clone(), is_tag_list: false };
        std::iter::once(self.key()).chain(self.is_tag_list.then_some(pull))
    }

    /// Whether the request is a read that may be sent without authorization, to see what the registry answers.
    pub(super) fn is_plain_read(&self) -> bool {
        self.access == Access::Pull && self.credential_use != CredentialUse::Direct
    }

    /// Whether the request may continue anonymously after its credential was rejected.
    pub(super) fn allows_anonymous_fallback(&self) -> bool {
        self.access == Access::Pull && self.credential_use == CredentialUse::Optional
    }

    /// The credential that the source has now; [`Credential::Anonymous`] if it has none for the registry.
    pub(super) async fn credential(&self) -> Result<ResolvedCredential, AuthError> {
        let upstream = &self.upstream;
        let request = CredentialRequest {
            registry: &upstream.host,
            legacy_keys: upstream.profile().credential_keys,
            repository: self.repository.as_ref(),
            profile: upstream.profile().name,
            origin: &upstream.origin,
            client: upstream.own_client().map_err(|error| AuthError::Tls(error.to_string()))?,
        };
        self.credentials.fetch(&request).await.map_err(|error| AuthError::Credential { error })
    }

    /// Reports to the source that `rejected` was rejected, and returns another credential if the source has one now.
    pub(super) async fn credential_after_rejection(
        &self,
        rejected: CredentialId,
    ) -> Result<Option<ResolvedCredential>, AuthError> {
        self.credentials.note_rejected(rejected);
        self.credential_other_than(rejected).await
    }

    /// As [`credential_after_rejection`](Self::credential_after_rejection), where it is not certain that the credential
    /// was the reason.
    pub(super) async fn credential_after_suspicion(
        &self,
        suspect: CredentialId,
    ) -> Result<Option<ResolvedCredential>, AuthError> {
        self.credentials.note_suspect(suspect);
        self.credential_other_than(suspect).await
    }

    async fn credential_other_than(&self, id: CredentialId) -> Result<Option<ResolvedCredential>, AuthError> {
        let resolved = self.credential().await?;
        Ok((resolved.id != id && resolved.credential != Credential::Anonymous).then_some(resolved))
    }
}

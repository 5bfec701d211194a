//! Negative caches: credentials that a registry rejected, and requests that it refused. The keys contain the
//! credential, so that a changed credential is tried at once.

use std::collections::HashMap;
use std::time::Duration;

use super::ask::AskKey;
use super::error::REFUSAL_MEMORY;
use super::expiring_map::ExpiringMap;
use crate::credential::CredentialId;
use crate::upstream::UpstreamId;

/// A credential as used at one upstream. What one registry says about a credential does not hold at another.
pub type CredentialAtUpstream = (UpstreamId, CredentialId);

/// Credentials that a registry or its token service rejected. For five minutes, reads for which a
/// credential is optional go on without them.
#[derive(Debug, Default)]
pub struct RejectedCredentials {
    /// Maps a rejected credential, with the request it was rejected for (`None`: every request), to the credential's
    /// source.
    rejected: ExpiringMap<(CredentialAtUpstream, Option<AskKey>), Box<str>>,
    /// Credentials whose rejection was reported.
    reported: ExpiringMap<CredentialAtUpstream, ()>,
}

impl RejectedCredentials {
    /// Whether the credential was rejected for every request, or for one with one of these keys.
    pub fn contains(&self, credential: &CredentialAtUpstream, keys: impl Iterator<Item = AskKey>) -> bool {
        let mut scopes = std::iter::once(None).chain(keys.map(Some));
        scopes.any(|key| self.rejected.get(&(*credential, key)).is_some())
    }

    /// Remembers the rejection of a credential from `source`, for every request if `key` is `None`. Returns whether the
    /// rejection should be reported: the first of a credential, and the first after a day without rejections.
    pub fn add(&self, credential: CredentialAtUpstream, key: Option<AskKey>, source: &str) -> bool {
        self.rejected.insert((credential, key), source.into(), REJECTION_MEMORY);
        let is_first = self.reported.get(&credential).is_none();
        self.reported.insert(credential, (), REPORT_MEMORY);
        is_first
    }

    /// Every credential whose rejection is remembered, with its source.
    pub fn all(&self) -> HashMap<CredentialAtUpstream, Box<str>> {
        self.rejected.entries().into_iter().map(|((credential, _), source)| (credential, source)).collect()
    }
}

/// Requests that a registry refused although regpass had tried every authorization, with the message for the client.
/// They are remembered for 5 s.
#[derive(Debug, Default)]
pub struct Denials(ExpiringMap<(CredentialAtUpstream, AskKey), String>);

impl Denials {
    /// The message of the denial that applies to a request with one of these keys.
    pub fn message(&self, credential: &CredentialAtUpstream, mut keys: impl Iterator<Item = AskKey>) -> Option<String> {
        keys.find_map(|key| self.0.get(&(*credential, key)))
    }

    pub fn add(&self, credential: CredentialAtUpstream, key: AskKey, message: String) {
        self.0.insert((credential, key), message, REFUSAL_MEMORY);
    }
}

const REJECTION_MEMORY: Duration = Duration::from_secs(5 * 60);
const REPORT_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::credential::{Credential, ResolvedCredential};
    use crate::oci::scope::ScopeSet;

    #[tokio::test(start_paused = true)]
    async fn rejected_credentials_expire_and_are_reported_once() {
        let rejected = RejectedCredentials::default();
        let id = ResolvedCredential::new(Credential::Anonymous, "test").id;
        let credential = (UpstreamId::next(), id);
        let key = |scopes| AskKey { scopes: ScopeSet::parse(scopes), is_tag_list: false };
        let (a, b) = (key("repository:a:pull"), key("repository:b:pull"));
        let contains = |key: &AskKey| rejected.contains(&credential, std::iter::once(key.clone()));
        assert!(rejected.add(credential, Some(a.clone()), "test"));
        assert!(contains(&a) && !contains(&b));
        assert!(!rejected.add(credential, None, "test"), "reported once");
        assert!(contains(&b));
        assert_eq!(rejected.all().len(), 1, "one credential, however often it was rejected");
        advance(REJECTION_MEMORY + Duration::from_secs(1)).await;
        assert!(!contains(&a) && !contains(&b) && rejected.all().is_empty());
    }
}

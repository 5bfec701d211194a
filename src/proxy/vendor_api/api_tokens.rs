//! The tokens for vendors' APIs that take one for a login.

use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use crate::base::secret::Secret;
use crate::credential::CredentialId;
use crate::upstream::UpstreamId;

/// Tokens by registry and credential. A token never serves another credential.
#[derive(Debug, Default)]
pub struct ApiTokens(DashMap<(UpstreamId, CredentialId), (Secret, Instant)>);

impl ApiTokens {
    /// A token that is still valid.
    pub(super) fn get(&self, key: (UpstreamId, CredentialId)) -> Option<Secret> {
        let known = self.0.get(&key)?;
        (known.1 > Instant::now()).then(|| known.0.clone())
    }

    /// Keeps a token that was issued at `begun` and lives for `lifetime`, at most [`MAX_LIFETIME`].
    pub(super) fn insert(
        &self,
        key: (UpstreamId, CredentialId),
        token: Secret,
        (begun, lifetime): (Instant, Duration),
    ) {
        if self.0.len() >= MAX_TOKENS {
            self.0.retain(|_, (_, expires)| *expires > Instant::now());
        }
        if self.0.len() < MAX_TOKENS {
            // A tenth of the lifetime is left for the request that uses the token.
            self.0.insert(key, (token, begun + lifetime.min(MAX_LIFETIME) / 10 * 9));
        }
    }

    /// Drops a token that the API rejected.
    pub(super) fn remove(&self, key: (UpstreamId, CredentialId)) {
        self.0.remove(&key);
    }
}

const MAX_TOKENS: usize = 256;
const MAX_LIFETIME: Duration = Duration::from_secs(600);

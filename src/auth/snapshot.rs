//! Snapshots of cached tokens and rejected credentials for the status and the metrics. They contain no secrets.

use std::time::Duration;

use tokio::time::Instant;

use super::authorizer::Authorizer;
use crate::credential::CredentialId;
use crate::upstream::UpstreamId;

/// A cached token, described without the token itself.
#[derive(Clone, Debug)]
pub struct TokenSnapshot {
    pub upstream: UpstreamId,
    pub credential: CredentialId,
    /// The source of the credential that the token was issued for, or `anonymous`.
    pub identity: Box<str>,
    /// The token service's URL without its query.
    pub realm: Box<str>,
    /// The scopes that the token was requested for.
    pub scopes: Vec<String>,
    /// How much longer the token will be used.
    pub expires_in: Duration,
    /// The token's whole lifetime.
    pub lifetime: Duration,
    /// The number of requests that used the token.
    pub uses: u64,
}

/// A credential that a registry rejected, so that reads go on without it.
#[derive(Clone, Debug)]
pub struct RejectedCredential {
    pub upstream: UpstreamId,
    pub credential: CredentialId,
    pub source: Box<str>,
}

impl Authorizer {
    /// The cached tokens, the ones that expire soonest first.
    pub fn token_snapshots(&self) -> Vec<TokenSnapshot> {
        let now = Instant::now();
        let tokens = self.selector.tokens.cache.snapshot().into_iter().map(|(group, scopes, lease)| TokenSnapshot {
            upstream: group.upstream,
            credential: group.credential,
            identity: lease.value.identity.clone(),
            realm: group.realm_without_query().into(),
            scopes: scopes.render(),
            expires_in: lease.expires().saturating_duration_since(now),
            lifetime: lease.lifetime(),
            uses: lease.value.uses(),
        });
        let mut tokens: Vec<TokenSnapshot> = tokens.filter(|token| !token.expires_in.is_zero()).collect();
        tokens.sort_by(|a, b| (a.expires_in, &a.scopes).cmp(&(b.expires_in, &b.scopes)));
        tokens
    }

    /// The credentials rejected in the last five minutes, with one entry per registry and credential.
    pub fn rejected_credentials(&self) -> Vec<RejectedCredential> {
        let all = self.selector.rejected.all().into_iter();
        all.map(|((upstream, credential), source)| RejectedCredential { upstream, credential, source }).collect()
    }
}

//! What the authorizer holds now, in plain values for people to look at. Never a token.

use std::time::Duration;

use tokio::time::Instant;

use super::authorizer::Authorizer;
use crate::credential::CredentialId;
use crate::upstream::UpstreamId;

/// A token that is held.
#[derive(Clone, Debug)]
pub struct HeldToken {
    pub upstream: UpstreamId,
    pub credential: CredentialId,
    /// Where the login comes from that it was had with, or `anonymous`.
    pub identity: Box<str>,
    /// The token service's URL, without a query.
    pub realm: Box<str>,
    /// What it was asked for.
    pub scopes: Vec<String>,
    /// How long it will be used yet.
    pub expires_in: Duration,
    /// How long it lives in all.
    pub lifetime: Duration,
    /// How many requests had it.
    pub uses: u64,
}

/// A login that a registry refused, without which reads go on.
#[derive(Clone, Debug)]
pub struct StaleLogin {
    pub upstream: UpstreamId,
    pub credential: CredentialId,
    /// Where it comes from.
    pub source: Box<str>,
}

impl Authorizer {
    /// The tokens held, those that end soonest first.
    pub fn held(&self) -> Vec<HeldToken> {
        let now = Instant::now();
        let held = self.tokens.held().into_iter().map(|(group, scopes, lease)| HeldToken {
            upstream: group.upstream,
            credential: group.credential,
            identity: lease.value.identity.clone(),
            realm: group.realm.split('?').next().unwrap_or_default().into(),
            scopes: scopes.render(),
            expires_in: lease.expires().saturating_duration_since(now),
            lifetime: lease.lifetime(),
            uses: lease.value.uses(),
        });
        let mut held: Vec<HeldToken> = held.filter(|token| !token.expires_in.is_zero()).collect();
        held.sort_by(|a, b| (a.expires_in, &a.scopes).cmp(&(b.expires_in, &b.scopes)));
        held
    }

    /// The logins that were refused lately, each once.
    pub fn stale_logins(&self) -> Vec<StaleLogin> {
        let logins = self.stale.all().into_iter();
        logins.map(|((upstream, credential), source)| StaleLogin { upstream, credential, source }).collect()
    }
}

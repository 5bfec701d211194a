//! The authorizer: authorizes requests with what is known about a registry, and learns from its refusals.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::ask::{Ask, CredentialUse};
use super::discovery::{Discovery, RegistryAuth};
use super::error::AuthError;
use super::grant::{Authorization, Grant};
use super::probe::{Probe, reveals_auth_scheme};
use super::scopes::challenged_scopes;
use super::selection::GrantSelector;
use super::token_cache::TokenCache;
use crate::base::clock::WallClock;
use crate::credential::{Credential, ResolvedCredential};
use crate::observe::metrics::Metrics;
use crate::oci::challenge::Challenge;
use crate::upstream::UpstreamId;

/// Authorizes the requests to all registries.
#[derive(Debug)]
pub struct Authorizer {
    registries: DashMap<UpstreamId, Arc<RegistryAuth>>,
    pub(super) selector: GrantSelector,
}

/// A grant to send a request with. While the registry's scheme is unknown, also the permit to discover it, for which
/// other requests wait.
#[derive(Debug)]
pub struct AuthAttempt {
    pub grant: Grant,
    discovery: Option<Discovery>,
}

impl AuthAttempt {
    /// Whether other requests wait for the answer to this one.
    pub fn is_discovery(&self) -> bool {
        self.discovery.is_some()
    }

    /// Whether a request may still be sent with this attempt, after regpass has waited for the request's body. A token
    /// that was fetched a moment ago counts as valid even if it has no lifetime: a new one would not last longer.
    pub fn is_still_valid(&self) -> bool {
        let now = Instant::now();
        match &self.grant.authorization {
            Authorization::Token { lease, is_fresh, .. } => {
                now < lease.expires() || (*is_fresh && lease.age(now) < MIN_FRESHNESS)
            }
            Authorization::None | Authorization::Direct(_) => true,
        }
    }
}

impl From<Grant> for AuthAttempt {
    fn from(grant: Grant) -> Self {
        Self { grant, discovery: None }
    }
}

impl Authorizer {
    pub fn new(metrics: Arc<Metrics>, clock: WallClock) -> Self {
        let tokens = TokenCache::new(MAX_REGISTRIES, MAX_TOKENS_PER_GROUP, metrics.clone(), clock);
        let probe = Probe::new(metrics.clone(), clock);
        Self { registries: DashMap::new(), selector: GrantSelector::new(tokens, probe, metrics) }
    }

    /// The authorization to send a request with first. While a registry's scheme is unknown, one request at a time
    /// discovers it: a read is sent without authorization, for any other request regpass sends `GET /v2/` first. The
    /// others wait for the result, at most 2 s.
    pub async fn authorize(&self, ask: &Ask) -> Result<AuthAttempt, AuthError> {
        if ask.credential_use != CredentialUse::Optional {
            let resolved = ask.credential().await?;
            if resolved.is_anonymous() {
                let absence = resolved.absence().map(Into::into);
                return Err(AuthError::NoCredential { registry: ask.upstream.host.clone(), absence });
            }
        }
        let registry = self.registry(ask.upstream.id);
        if registry.scheme().is_none() {
            let discovery = registry.acquire_discovery().await;
            if registry.scheme().is_none() {
                if ask.is_plain_read() {
                    return Ok(AuthAttempt { grant: Grant::none(None), discovery });
                }
                // A write is not sent without authorization just to see the challenge. A request that needs the
                // credential itself gets another challenge than the rest of the registry's API. So both ask `/v2/`.
                match registry.learn_challenge(ask, &HeaderMap::new(), &self.selector.probe).await? {
                    Some(scheme) => return Ok(self.selector.grant_for(ask, &registry, &scheme).await?.into()),
                    None => registry.pin_open_if_unknown(),
                }
            }
        }
        let grant = if self.should_try_without(ask, &registry).await? {
            None
        } else {
            self.selector.grant_for_pinned(ask, &registry).await?
        };
        Ok(grant.unwrap_or_else(|| Grant::none(None)).into())
    }

    /// The credential for a request that goes to another API of the registry's vendor. Fails if there was one and it
    /// cannot be read.
    pub async fn credential(&self, ask: &Ask) -> Result<ResolvedCredential, AuthError> {
        ask.credential().await
    }

    /// Whether the request is sent without authorization although a scheme is pinned. A challenge without a usable
    /// realm helps only callers whose credential is a bearer token. Other reads go out without authorization: public
    /// content still works, and for the rest the registry's own error is the most useful one.
    async fn should_try_without(&self, ask: &Ask, registry: &RegistryAuth) -> Result<bool, AuthError> {
        if !ask.is_plain_read() || registry.scheme().is_none_or(|scheme| scheme.has_usable_realm()) {
            return Ok(false);
        }
        Ok(!matches!(ask.credential().await?.credential, Credential::Bearer { .. }))
    }

    /// Notes that the registry did not challenge an attempt, whatever else it answered. If the attempt had no
    /// authorization and no scheme is pinned, the registry is pinned as open, except after a 429 or 5xx. Requests that
    /// wait for the discovery of the scheme go on.
    pub fn note_accepted(&self, ask: &Ask, attempt: &mut AuthAttempt, status: StatusCode) {
        if reveals_auth_scheme(status) && attempt.grant.is_none() {
            self.registry(ask.upstream.id).pin_open_if_unknown();
        }
        if status.is_success() || status.is_redirection() {
            if attempt.grant.is_shared_token() {
                self.registry(ask.upstream.id).shared_tokens.note_accepted();
            } else if attempt.grant.replaces_shared {
                self.registry(ask.upstream.id).shared_tokens.note_own_token_needed();
            }
        }
        attempt.discovery = None;
    }

    /// The attempt to make after a 401 with these headers, or after any refusal of a shared token. `None` if regpass has
    /// no other authorization than the refused one, so that the refusal is final.
    pub async fn after_unauthorized(
        &self,
        ask: &Ask,
        refused: &mut AuthAttempt,
        headers: &HeaderMap,
    ) -> Result<Option<AuthAttempt>, AuthError> {
        let registry = self.registry(ask.upstream.id);
        let grant = &refused.grant;
        let next = match &grant.authorization {
            Authorization::None if grant.fell_back_from.is_some() => None,
            Authorization::None => {
                let learned = registry.learn_challenge(ask, headers, &self.selector.probe).await?;
                let Some(scheme) = learned else { return Ok(None) };
                refused.discovery = None;
                let next = self.selector.grant_for(ask, &registry, &scheme).await?;
                if next.is_none() {
                    // Nothing else can be tried, but now it is known why there is no credential.
                    refused.grant = next;
                    return Ok(None);
                }
                Some(next)
            }
            Authorization::Direct(_) => self.selector.grant_after_rejection(ask, &registry, grant).await?,
            Authorization::Token { is_shared: true, requested, .. } => {
                registry.shared_tokens.note_refused(requested);
                let own = self.selector.grant_for_pinned(ask, &registry).await?;
                own.map(|own| Grant { replaces_shared: true, ..own })
            }
            Authorization::Token { lease, group, requested, is_fresh, .. } => {
                let challenged = challenged_scopes(ask, &Challenge::parse_all(headers));
                match challenged.filter(|challenged| !requested.covers(challenged)) {
                    // The token may be good, but it was requested for other scopes than the registry wants.
                    Some(challenged) => registry.corrections.record(ask, challenged),
                    None if *is_fresh => return Ok(None),
                    None => self.selector.tokens.reject(group, lease),
                }
                self.selector.grant_for_pinned(ask, &registry).await?
            }
        };
        Ok(next.map(AuthAttempt::from))
    }

    /// An attempt with a newer credential or token, after a refusal that may or may not mean that the old one has
    /// expired. `None` without authorization, for tokens younger than a minute and for credentials whose source has no
    /// newer one.
    pub async fn renew_suspect(&self, ask: &Ask, refused: &AuthAttempt) -> Result<Option<AuthAttempt>, AuthError> {
        let next = match &refused.grant.authorization {
            Authorization::None => None,
            Authorization::Token { lease, .. } if lease.age(Instant::now()) < MIN_SUSPECT_AGE => None,
            Authorization::Direct(_) => {
                ask.credential_after_suspicion(refused.grant.credential_id()).await?.map(Grant::direct)
            }
            Authorization::Token { lease, group, .. } => {
                self.selector.tokens.reject(group, lease);
                self.selector.grant_for_pinned(ask, &self.registry(ask.upstream.id)).await?
            }
        };
        Ok(next.map(AuthAttempt::from))
    }

    /// Remembers for 5 s that the registry refused the request with `grant`, the last one that could be tried.
    pub fn remember_denial(&self, ask: &Ask, grant: &Grant, message: String) {
        self.selector.denials.add((ask.upstream.id, grant.credential_id()), ask.key(), message);
    }

    /// Finds out a registry's profile for a request that depends on it, and usually its scheme along the way.
    pub async fn identify_registry(&self, ask: &Ask) -> Result<(), AuthError> {
        let registry = self.registry(ask.upstream.id);
        let _discovery = registry.acquire_discovery().await;
        if ask.upstream.profile_choice.is_undetected() {
            match registry.learn_challenge(ask, &HeaderMap::new(), &self.selector.probe).await? {
                // This pins the scheme if the credential can do without the realm, and fails now if it cannot: the
                // request itself would only probe again for the same outcome.
                Some(scheme) if !scheme.has_usable_realm() => {
                    self.selector.grant_for(ask, &registry, &scheme).await?;
                }
                Some(_) => {}
                None => registry.pin_open_if_unknown(),
            }
        }
        Ok(())
    }

    /// Forgets the schemes and tokens of all upstreams but these, so that their tokens are no longer renewed.
    pub fn retain_upstreams(&self, upstreams: &HashSet<UpstreamId>) {
        self.registries.retain(|upstream, _| upstreams.contains(upstream));
        self.selector.tokens.cache.retain(|group| upstreams.contains(&group.upstream));
    }

    fn registry(&self, upstream: UpstreamId) -> Arc<RegistryAuth> {
        if let Some(registry) = self.registries.get(&upstream) {
            return registry.clone();
        }
        if self.registries.len() >= MAX_REGISTRIES {
            self.registries.clear();
        }
        self.registries.entry(upstream).or_default().clone()
    }
}

const MIN_FRESHNESS: Duration = Duration::from_secs(1);
/// A younger token is taken to be unexpired, so its refusal has another reason.
const MIN_SUSPECT_AGE: Duration = Duration::from_secs(60);
const MAX_REGISTRIES: usize = 1024;
const MAX_TOKENS_PER_GROUP: usize = 4096;

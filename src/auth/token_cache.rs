//! The cache of tokens, which fetches the ones it does not have.

use std::sync::{Arc, Weak};

use super::ask::Ask;
use super::discovery::RegistryAuth;
use super::error::AuthError;
use super::grant::{Authorization, Grant, Token, TokenGroup};
use super::scheme::Bearer;
use super::token_service::fetch_token;
use crate::base::clock::WallClock;
use crate::base::lease::Lease;
use crate::base::lease_cache::{Covers, LeaseCache, Obtained};
use crate::base::origin::Url;
use crate::credential::ResolvedCredential;
use crate::observe::metrics::Metrics;
use crate::oci::operation::Access;
use crate::oci::scope::{Action, ScopeSet};
use crate::upstream::Upstream;

/// The tokens of all registries, found by covering scopes: a token for `pull,push` serves a `pull`.
#[derive(Debug)]
pub(super) struct TokenCache {
    pub(super) cache: Arc<LeaseCache<TokenGroup, ScopeSet, Token, AuthError>>,
    metrics: Arc<Metrics>,
    clock: WallClock,
}

impl Covers for ScopeSet {
    fn covers(&self, wanted: &Self) -> bool {
        Self::covers(self, wanted)
    }
}

impl TokenCache {
    /// `max_groups` and `max_tokens_per_group` bound the cache.
    pub(super) fn new(max_groups: usize, max_tokens_per_group: usize, metrics: Arc<Metrics>, clock: WallClock) -> Self {
        Self { cache: LeaseCache::new(max_groups, max_tokens_per_group), metrics, clock }
    }

    /// A grant with a token for `ask`: a cached one that lasts long enough, or a new one from `bearer`'s realm. A write
    /// fails if the token shows that it certainly does not allow the write.
    pub(super) async fn grant(
        &self,
        ask: &Ask,
        registry: &RegistryAuth,
        bearer: &Arc<Bearer>,
        resolved: &ResolvedCredential,
    ) -> Result<Grant, Arc<AuthError>> {
        let realm = bearer.realm.as_ref().map_err(|rejected| Arc::new(AuthError::Realm(rejected.clone())))?.url();
        let group = TokenGroup::new(ask.upstream.id, resolved.id, realm, bearer.service.clone());
        let requested = registry.corrections.scopes_for(ask);
        let fetch = Arc::new(TokenFetch {
            upstream: Arc::downgrade(&ask.upstream),
            bearer: bearer.clone(),
            scopes: requested.clone(),
            resolved: resolved.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock,
        });
        let fetch = move || fetch.clone().run();
        let obtained = if registry.shared_tokens.may_share(ask, &requested, resolved) {
            self.cache.get_any_or_fetch(&group, &requested, fetch).await?
        } else {
            self.cache.get_or_fetch_valid_for(&group, &requested, ask.min_lifetime, fetch).await?
        };
        let Obtained { lease, is_newly_fetched: is_fresh, is_of_other_key: is_shared } = obtained;
        lease.value.count_use();
        self.metrics.token_used(&ask.upstream.label, if is_fresh { "fetched" } else { "cached" });
        if ask.access != Access::Pull {
            self.check_granted(&group, &lease, &requested, realm, resolved)?;
        }
        let authorization = Authorization::Token { lease, group, requested, is_fresh, is_shared };
        Ok(Grant::new(authorization, resolved.clone()))
    }

    /// Removes a token that a registry rejected, unless a newer one has already replaced it.
    pub(super) fn reject(&self, group: &TokenGroup, rejected: &Arc<Lease<Token>>) {
        self.cache.reject(group, rejected);
    }

    fn check_granted(
        &self,
        group: &TokenGroup,
        lease: &Arc<Lease<Token>>,
        requested: &ScopeSet,
        realm: &Url,
        resolved: &ResolvedCredential,
    ) -> Result<(), Arc<AuthError>> {
        let Some(granted) = lease.value.access.as_ref().filter(|access| access.certainly_lacks(requested)) else {
            return Ok(());
        };
        // A mount requests scopes for two repositories. If it is refused, the client uploads the blob instead, for
        // which the cache must not find this token unless the token may allow the upload.
        let is_good_alone = requested.resources().any(|(resource, actions)| {
            actions.iter().any(Action::is_write)
                && !granted.certainly_lacks(&ScopeSet::of(resource.clone(), actions.iter().cloned()))
        });
        if requested.resources().count() > 1 && !is_good_alone {
            self.reject(group, lease);
        }
        Err(Arc::new(AuthError::NotGranted {
            realm: realm.clone(),
            requested: requested.clone(),
            granted: granted.clone(),
            source_name: resolved.source.clone(),
        }))
    }
}

/// Everything a token is fetched with, kept by the cache for renewals.
struct TokenFetch {
    /// Weak, so that no renewal outlives the upstream, which decides where the credential may be sent.
    upstream: Weak<Upstream>,
    bearer: Arc<Bearer>,
    scopes: ScopeSet,
    resolved: ResolvedCredential,
    metrics: Arc<Metrics>,
    clock: WallClock,
}

impl TokenFetch {
    async fn run(self: Arc<Self>) -> Result<Lease<Token>, AuthError> {
        let upstream = self.upstream.upgrade().ok_or(AuthError::FetchAborted)?;
        let fetched = fetch_token(&upstream, &self.bearer, &self.scopes, &self.resolved, self.clock).await;
        let outcome = match &fetched {
            Ok(_) => "granted",
            Err(error) if error.is_refusal() => "refused",
            Err(_) => "failed",
        };
        self.metrics.token_fetched(&upstream.label, outcome);
        fetched
    }
}

//! The choice of the authorization for a request once the registry's scheme is known: a token, the credential itself,
//! or none.

use std::sync::Arc;

use tracing::warn;

use super::ask::{Ask, AskKey, CredentialUse};
use super::denials::{CredentialAtUpstream, Denials, RejectedCredentials};
use super::discovery::RegistryAuth;
use super::error::AuthError;
use super::grant::{Grant, basic_header};
use super::probe::Probe;
use super::scheme::{AuthScheme, Bearer};
use super::token_cache::TokenCache;
use crate::credential::{Credential, CredentialId, ResolvedCredential};
use crate::observe::metrics::Metrics;

/// Selects grants, from the cached tokens and with what is remembered of earlier refusals.
#[derive(Debug)]
pub(super) struct GrantSelector {
    pub(super) tokens: TokenCache,
    pub(super) rejected: RejectedCredentials,
    pub(super) denials: Denials,
    pub(super) probe: Probe,
    metrics: Arc<Metrics>,
}

impl GrantSelector {
    pub(super) fn new(tokens: TokenCache, probe: Probe, metrics: Arc<Metrics>) -> Self {
        Self { tokens, rejected: RejectedCredentials::default(), denials: Denials::default(), probe, metrics }
    }

    /// The best grant for the registry's pinned scheme. `None` if no scheme is pinned.
    pub(super) async fn grant_for_pinned(
        &self,
        ask: &Ask,
        registry: &RegistryAuth,
    ) -> Result<Option<Grant>, AuthError> {
        match registry.scheme() {
            Some(scheme) => self.grant_for(ask, registry, &scheme).await.map(Some),
            None => Ok(None),
        }
    }

    /// Chooses the grant under `scheme`: none, the credential itself, or a token. Instead of a credential that was
    /// rejected in the last five minutes, a read that needs no credential gets an anonymous grant. A request that was
    /// denied in the last 5 s fails at once.
    pub(super) async fn grant_for(
        &self,
        ask: &Ask,
        registry: &RegistryAuth,
        scheme: &AuthScheme,
    ) -> Result<Grant, AuthError> {
        if let AuthScheme::Open = scheme {
            return Ok(Grant::none(None));
        }
        let resolved = ask.credential().await?;
        let credential = self.check_not_denied(ask, resolved.id)?;
        if ask.allows_anonymous_fallback() && self.rejected.contains(&credential, ask.applicable_keys()) {
            return self.anonymous_grant(ask, registry, scheme, resolved.source).await;
        }
        let is_direct =
            ask.credential_use == CredentialUse::Direct || matches!(resolved.credential, Credential::Bearer { .. });
        let has_credential = !resolved.is_anonymous();
        let needs_no_token =
            |bearer: &Arc<Bearer>| is_direct || has_credential && bearer.prefers_basic_for_credentials();
        let Some(bearer) = scheme.bearer().filter(|bearer| !needs_no_token(bearer)) else {
            // A scheme without a usable realm is pinned only here, where the credential makes the realm unnecessary.
            if !scheme.has_usable_realm() {
                registry.pin(scheme.clone());
            }
            return Ok(Grant::direct(resolved));
        };
        match self.token_grant(ask, registry, bearer, &resolved).await {
            Err(error) if error.is_refusal() && has_credential => {
                self.grant_after_token_refusal(ask, registry, bearer, resolved, error).await
            }
            // Basic needs no token service, so it works when the token service is unavailable or not trusted with the
            // credential.
            Err(error)
                if bearer.has_basic_alternative
                    && !matches!(*error, AuthError::NotGranted { .. })
                    && basic_header(&resolved.credential).is_some() =>
            {
                Ok(Grant::direct(resolved))
            }
            outcome => outcome.map_err(AuthError::from_shared),
        }
    }

    /// The next grant after the token service refused a credential: a newer credential from the same source, else an
    /// anonymous token where the request allows it.
    async fn grant_after_token_refusal(
        &self,
        ask: &Ask,
        registry: &RegistryAuth,
        bearer: &Arc<Bearer>,
        resolved: ResolvedCredential,
        error: Arc<AuthError>,
    ) -> Result<Grant, AuthError> {
        let mut refused = (resolved, error);
        if let Some(newer) = ask.credential_after_rejection(refused.0.id).await? {
            match self.token_grant(ask, registry, bearer, &newer).await {
                Err(error) if error.is_refusal() => refused = (newer, error),
                outcome => return outcome.map_err(AuthError::from_shared),
            }
        }
        let (resolved, error) = refused;
        if !ask.allows_anonymous_fallback() {
            return Err(AuthError::from_shared(error));
        }
        let key = (!error.is_credential_refusal()).then(|| ask.key());
        let scheme = AuthScheme::Bearer(bearer.clone());
        let anonymous = self.anonymous_grant(ask, registry, &scheme, resolved.source.clone()).await;
        let anonymous = anonymous.map_err(|_| AuthError::from_shared(error))?;
        self.remember_rejection(ask, &resolved, key);
        Ok(anonymous)
    }

    /// The next grant after the registry rejected the credential itself: a newer credential from the same source, else
    /// anonymous access where the request allows it. `None` if there is neither.
    pub(super) async fn grant_after_rejection(
        &self,
        ask: &Ask,
        registry: &RegistryAuth,
        rejected: &Grant,
    ) -> Result<Option<Grant>, AuthError> {
        if let Some(newer) = ask.credential_after_rejection(rejected.credential_id()).await? {
            return Ok(Some(Grant::direct(newer)));
        }
        let Some(scheme) = registry.scheme() else { return Ok(None) };
        if !ask.allows_anonymous_fallback() {
            return Ok(None);
        }
        // Remembered for this request only: some registries also answer 401 to a good credential without the
        // permission.
        self.remember_rejection(ask, &rejected.resolved, Some(ask.key()));
        self.anonymous_grant(ask, registry, &scheme, rejected.resolved.source.clone()).await.map(Some)
    }

    async fn anonymous_grant(
        &self,
        ask: &Ask,
        registry: &RegistryAuth,
        scheme: &AuthScheme,
        rejected_source: Box<str>,
    ) -> Result<Grant, AuthError> {
        let anonymous = ResolvedCredential::anonymous();
        self.check_not_denied(ask, anonymous.id)?;
        match scheme {
            AuthScheme::Bearer(bearer) => match self.token_grant(ask, registry, bearer, &anonymous).await {
                Ok(grant) => Ok(Grant { fell_back_from: Some(rejected_source), ..grant }),
                Err(error) => Err(AuthError::AnonymousFallback { error, source_name: rejected_source }),
            },
            AuthScheme::Open | AuthScheme::Basic => Ok(Grant::none(Some(rejected_source))),
        }
    }

    /// A grant with a token. If there is no token service at the realm, tries the realm's alternative, else the realm
    /// that the registry names now. If the token service refuses scopes that were only inferred, tries the computed
    /// ones.
    async fn token_grant(
        &self,
        ask: &Ask,
        registry: &RegistryAuth,
        bearer: &Arc<Bearer>,
        resolved: &ResolvedCredential,
    ) -> Result<Grant, Arc<AuthError>> {
        let error = match self.tokens.grant(ask, registry, bearer, resolved).await {
            Ok(grant) => return Ok(grant),
            Err(error) => error,
        };
        if error.is_no_token_service()
            && let Some(alternative) = bearer.alternative()
        {
            let outcome = self.tokens.grant(ask, registry, &alternative, resolved).await;
            if !outcome.as_ref().is_err_and(|error| error.is_no_token_service()) {
                registry.pin(AuthScheme::Bearer(alternative));
                return outcome;
            }
        }
        if error.is_realm_gone() {
            return match registry.find_moved_realm(ask, bearer, &self.probe).await {
                Some(moved) => self.tokens.grant(ask, registry, &moved, resolved).await,
                None => Err(error),
            };
        }
        if error.is_scope_refusal() && registry.corrections.revert_inferred_scopes(ask) {
            return self.tokens.grant(ask, registry, bearer, resolved).await;
        }
        Err(error)
    }

    fn check_not_denied(&self, ask: &Ask, credential: CredentialId) -> Result<CredentialAtUpstream, AuthError> {
        let credential = (ask.upstream.id, credential);
        match self.denials.message(&credential, ask.applicable_keys()) {
            Some(message) => Err(AuthError::RecentlyDenied(message)),
            None => Ok(credential),
        }
    }

    fn remember_rejection(&self, ask: &Ask, resolved: &ResolvedCredential, key: Option<AskKey>) {
        if self.rejected.add((ask.upstream.id, resolved.id), key, &resolved.source) {
            let registry = ask.upstream.host.as_str();
            self.metrics.credential_rejected(&ask.upstream.label);
            warn!(
                registry,
                source = &*resolved.source,
                "the registry or its token service rejected the credential; pulls continue anonymously; replace it"
            );
        }
    }
}

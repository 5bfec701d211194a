//! Anonymous tokens that serve other repositories than the one they were requested for.
//!
//! Some registries do not bind an anonymous token to its scope, so one token reads everything that is public. Only an
//! answer shows whether that holds: a registry that refuses a shared token is asked again with a token of the
//! repository's own, and only that refusal is believed. What was refused with a shared token gets its own token at once
//! for an hour.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::ask::{Ask, CredentialUse};
use super::expiring_map::ExpiringMap;
use crate::credential::ResolvedCredential;
use crate::oci::operation::Access;
use crate::oci::scope::ScopeSet;

/// What one registry's answers have shown about sharing its anonymous tokens.
#[derive(Debug, Default)]
pub(super) struct SharedTokens {
    /// Scopes that need tokens of their own; `None` stands for all.
    own: ExpiringMap<Option<ScopeSet>, ()>,
    /// Whether the registry has accepted a shared token.
    is_proven: AtomicBool,
}

impl SharedTokens {
    /// Whether a request for `scopes` may use a token that was requested for another repository.
    pub(super) fn may_share(&self, ask: &Ask, scopes: &ScopeSet, resolved: &ResolvedCredential) -> bool {
        let is_public_read =
            ask.access == Access::Pull && ask.credential_use == CredentialUse::Optional && ask.repository.is_some();
        ask.upstream.profile().anonymous_tokens_are_unbound
            && is_public_read
            && resolved.is_anonymous()
            && self.own.get(&None).is_none()
            && self.own.get(&Some(scopes.clone())).is_none()
    }

    /// The registry served a request with a shared token.
    pub(super) fn note_accepted(&self) {
        self.is_proven.store(true, Ordering::Relaxed);
    }

    /// The registry refused a request for `scopes` with a shared token.
    pub(super) fn note_refused(&self, scopes: &ScopeSet) {
        self.own.insert(Some(scopes.clone()), (), MEMORY);
    }

    /// The registry served a request with a token of its own, after it had refused the shared one. Unless it accepted
    /// shared tokens before, its tokens seem to be bound to their scopes.
    pub(super) fn note_own_token_needed(&self) {
        if !self.is_proven.load(Ordering::Relaxed) {
            self.own.insert(None, (), MEMORY);
        }
    }
}

const MEMORY: Duration = Duration::from_secs(60 * 60);

//! What is known about one registry's authorization: its scheme, pinned from its first unauthenticated answer, the
//! corrections of scopes, and the use of shared tokens.
//!
//! A challenge to a request that had authorization does not change the scheme: for an expired token NGC names another
//! realm, Harbor and ACR another scheme. A pinned Bearer scheme is normally replaced only after its realm is gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::ask::Ask;
use super::error::AuthError;
use super::probe::Probe;
use super::scheme::{AuthScheme, Bearer};
use super::scopes::{ScopeCorrections, challenged_scopes};
use super::shared_tokens::SharedTokens;
use crate::oci::challenge::Challenge;

/// What regpass has learned about how one registry authorizes requests.
#[derive(Debug)]
pub(super) struct RegistryAuth {
    scheme: ArcSwapOption<AuthScheme>,
    /// One permit: a single request at a time discovers the scheme.
    discovery: Arc<Semaphore>,
    pub(super) corrections: ScopeCorrections,
    pub(super) shared_tokens: SharedTokens,
    /// When the registry was last probed because its realm seemed to be gone.
    realm_rechecked: Mutex<Option<Instant>>,
}

/// The right to discover a registry's scheme while other requests wait for the result. Dropping it lets the next one
/// in.
#[derive(Debug)]
pub(super) struct Discovery(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl Default for RegistryAuth {
    fn default() -> Self {
        Self {
            scheme: ArcSwapOption::empty(),
            discovery: Arc::new(Semaphore::new(1)),
            corrections: ScopeCorrections::default(),
            shared_tokens: SharedTokens::default(),
            realm_rechecked: Mutex::default(),
        }
    }
}

impl RegistryAuth {
    /// The pinned scheme; `None` until one is discovered.
    pub(super) fn scheme(&self) -> Option<AuthScheme> {
        self.scheme.load().as_deref().cloned()
    }

    /// Waits for the right to discover the scheme. `None` after 2 s, because the request that has it may hang for
    /// reasons of its own. The scheme may have been pinned during the wait, so callers check it again.
    pub(super) async fn acquire_discovery(&self) -> Option<Discovery> {
        timeout(DISCOVERY_WAIT, self.discovery.clone().acquire_owned()).await.ok()?.ok().map(Discovery)
    }

    pub(super) fn pin(&self, scheme: AuthScheme) -> AuthScheme {
        self.scheme.store(Some(Arc::new(scheme.clone())));
        scheme
    }

    /// Pins [`AuthScheme::Open`] after an answer without a challenge, unless a scheme is pinned.
    pub(super) fn pin_open_if_unknown(&self) {
        let unknown: Option<Arc<AuthScheme>> = None;
        self.scheme.compare_and_swap(&unknown, Some(Arc::new(AuthScheme::Open)));
    }

    /// Learns the scheme from the headers of an unauthenticated 401, and pins it if every caller can use it. A Bearer
    /// scheme that is already pinned takes precedence. If the headers have no challenge that regpass understands, it
    /// sends `GET /v2/` for one; `None` if the answer has none either.
    pub(super) async fn learn_challenge(
        &self,
        ask: &Ask,
        headers: &HeaderMap,
        probe: &Probe,
    ) -> Result<Option<AuthScheme>, AuthError> {
        let challenges = Challenge::parse_all(headers);
        if let Some(scheme) = AuthScheme::from_challenges(&ask.upstream, &challenges) {
            ask.upstream.profile_choice.settle(&challenges, headers);
            if let Some(scopes) = challenged_scopes(ask, &challenges) {
                self.corrections.record(ask, scopes);
            }
            // A concurrent request may have pinned a scheme first.
            let pinned = self.scheme().filter(|pinned| pinned.bearer().is_some());
            return Ok(Some(pinned.unwrap_or_else(|| self.pin_if_usable(scheme))));
        }
        let headers = probe.challenge_headers(&ask.upstream).await?;
        let challenges = Challenge::parse_all(&headers);
        ask.upstream.profile_choice.settle(&challenges, &headers);
        let scheme = AuthScheme::from_challenges(&ask.upstream, &challenges);
        Ok(scheme.map(|scheme| self.pin_if_usable(scheme)))
    }

    /// The token service that replaces `gone`, if the registry names another one now. One request sends `GET /v2/` for
    /// all that wait, at most once a second. Until then the old realm stays pinned, because cached tokens belong to it.
    pub(super) async fn find_moved_realm(&self, ask: &Ask, gone: &Arc<Bearer>, probe: &Probe) -> Option<Arc<Bearer>> {
        let _discovery = self.acquire_discovery().await;
        if let Some(scheme) = self.scheme()
            && !scheme.bearer().is_some_and(|pinned| Arc::ptr_eq(pinned, gone))
        {
            return scheme.bearer().cloned();
        }
        if !self.may_recheck_realm() {
            return None;
        }
        let probed = timeout(ask.upstream.timeouts.token, probe.challenge_headers(&ask.upstream)).await;
        let scheme = AuthScheme::from_challenges(&ask.upstream, &Challenge::parse_all(&probed.ok()?.ok()?))?;
        if scheme.bearer().is_some_and(|bearer| bearer.is_same_token_service(gone)) {
            return None;
        }
        self.pin_if_usable(scheme).bearer().cloned()
    }

    /// Pins a scheme that every caller can use. Any other stays unpinned.
    fn pin_if_usable(&self, scheme: AuthScheme) -> AuthScheme {
        if scheme.has_usable_realm() { self.pin(scheme) } else { scheme }
    }

    /// Whether the last recheck was at least a second ago. If so, the caller does the next one.
    fn may_recheck_realm(&self) -> bool {
        let now = Instant::now();
        let mut rechecked = self.realm_rechecked.lock().unwrap_or_else(PoisonError::into_inner);
        let may_recheck = rechecked.is_none_or(|rechecked| now >= rechecked + RECHECK_INTERVAL);
        if may_recheck {
            *rechecked = Some(now);
        }
        may_recheck
    }
}

const DISCOVERY_WAIT: Duration = Duration::from_secs(2);
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

//! A cache of helpers' answers.
//!
//! An answer is a lease of some minutes, renewed in the background while in use. The cache also keeps the last good
//! answers, for the case that a helper fails, and the rejections by registries: after a rejection the helper is called
//! again at once, then with a growing pause while it returns the same credential.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::process::HelperFailure;
use crate::base::lease::Lease;
use crate::base::lease_cache::{Covers, FetchAborted, FetchError, LeaseCache};
use crate::credential::{CredentialError, CredentialId, ResolvedCredential};

/// The cached answers of all helpers.
#[derive(Debug)]
pub(super) struct AnswerCache {
    /// Grouped by helper.
    leases: Arc<LeaseCache<Box<str>, Server, ResolvedCredential, HelperFailure>>,
    history: Arc<Mutex<History>>,
}

/// The key in a helper's query, which the protocol calls the server URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server(Box<str>);

/// Last good answers by helper and server, and rejections by credential.
#[derive(Debug, Default)]
struct History {
    good: HashMap<(Box<str>, Server), GoodAnswer>,
    rejected: HashMap<CredentialId, Rejection>,
}

#[derive(Debug)]
struct GoodAnswer {
    credential: ResolvedCredential,
    /// When the helper was called for this answer.
    since: Instant,
    /// The last logged error of the helper after this answer.
    logged_error: Option<String>,
}

#[derive(Debug)]
struct Rejection {
    latest: Instant,
    /// When the helper may be called again because of this rejection.
    next_call: Instant,
    /// The pause before `next_call`.
    pause: Duration,
}

impl AnswerCache {
    pub(super) fn new() -> Self {
        Self { leases: LeaseCache::new(MAX_HELPERS, MAX_SERVERS), history: Arc::default() }
    }

    /// The answer of `helper` for `server`, from the cache or from `call`.
    pub(super) async fn get<F, R>(
        &self,
        helper: &str,
        server: &str,
        call: F,
    ) -> Result<ResolvedCredential, CredentialError>
    where
        F: Fn() -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<ResolvedCredential, HelperFailure>> + Send + 'static,
    {
        let (group, server) = (Box::from(helper), Server(server.into()));
        let fetch = || {
            let (history, key, call) = (self.history.clone(), (Box::clone(&group), server.clone()), call.clone());
            move || or_last_good(history.clone(), key.clone(), call())
        };
        let mut obtained = self.leases.get_or_fetch(&group, &server, fetch()).await;
        if let Ok(cached) = &obtained
            && !cached.is_newly_fetched
            && self.history().must_call_again(cached.lease.value.id)
        {
            self.leases.reject(&group, &cached.lease);
            obtained = self.leases.get_or_fetch(&group, &server, fetch()).await;
        }
        obtained.map(|obtained| obtained.lease.value.clone()).map_err(|failure| failure.error.clone())
    }

    /// Drops a helper's answers, because the user may have logged in or out.
    pub(super) fn forget(&self, helper: &str) {
        for (group, _, lease) in self.leases.snapshot().iter().filter(|(group, ..)| **group == *helper) {
            self.leases.reject(group, lease);
        }
    }

    /// Drops the answers with a credential that a registry rejected, also as last good answers.
    ///
    /// Ignores the anonymous credential: it is the answer of every helper without a credential for the server.
    pub(super) fn note_rejected(&self, id: CredentialId) {
        if id == ResolvedCredential::anonymous().id {
            return;
        }
        let is_new = {
            let mut history = self.history();
            history.good.retain(|_, good| good.credential.id != id);
            history.note_rejection(id)
        };
        if is_new {
            for (group, _, lease) in self.leases.snapshot().iter().filter(|(_, _, lease)| lease.value.id == id) {
                self.leases.reject(group, lease);
            }
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the helper's answer and records it. If the helper fails, returns the last good answer instead.
async fn or_last_good(
    history: Arc<Mutex<History>>,
    key: (Box<str>, Server),
    answer: impl Future<Output = Result<ResolvedCredential, HelperFailure>>,
) -> Result<Lease<ResolvedCredential>, HelperFailure> {
    let called = Instant::now();
    let answer = answer.await;
    let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Ok(credential) => {
            let good = GoodAnswer { credential: credential.clone(), since: called, logged_error: None };
            insert_bounded(&mut history.good, key, good, |good| good.since);
            let lifetime = if credential.is_anonymous() { ANONYMOUS_LIFETIME } else { LIFETIME };
            Ok(Lease::new(credential, called, lifetime))
        }
        Err(failure) => {
            let Some(good) = history.good.get_mut(&key) else { return Err(failure) };
            if good.logged_error.as_ref() != Some(&failure.error.message) {
                let error = failure.error.message;
                warn!(blame = "credential", error, "a credential helper failed; its last good answer stays in use");
                good.logged_error = Some(error);
            }
            Ok(Lease::new(good.credential.clone(), Instant::now(), LAST_GOOD_LIFETIME))
        }
    }
}

impl History {
    /// Whether the helper has to be called before a cached credential may be returned again, because a registry
    /// rejected it. Returns true to one caller, then false until the next pause is over.
    fn must_call_again(&mut self, id: CredentialId) -> bool {
        let now = Instant::now();
        let Some(rejection) = self.rejected.get_mut(&id) else { return false };
        if now >= rejection.latest + REJECTION_TTL {
            self.rejected.remove(&id);
            return false;
        }
        let must_call = now >= rejection.next_call;
        if must_call {
            rejection.pause = (rejection.pause * 2).min(MAX_PAUSE);
            rejection.next_call = now + rejection.pause;
        }
        must_call
    }

    /// Records a rejection. Returns whether it is the first one of this credential.
    fn note_rejection(&mut self, id: CredentialId) -> bool {
        let now = Instant::now();
        if let Some(rejection) = self.rejected.get_mut(&id)
            && now < rejection.latest + REJECTION_TTL
        {
            rejection.latest = now;
            return false;
        }
        let rejection = Rejection { latest: now, next_call: now + FIRST_PAUSE, pause: FIRST_PAUSE };
        insert_bounded(&mut self.rejected, id, rejection, |rejection| rejection.latest);
        true
    }
}

/// Inserts a value, in place of the oldest one if the map is full.
fn insert_bounded<K: Clone + Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V, age: impl Fn(&V) -> Instant) {
    if map.len() >= MAX_ENTRIES && !map.contains_key(&key) {
        let oldest = map.iter().min_by_key(|(_, value)| age(value)).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            map.remove(&oldest);
        }
    }
    map.insert(key, value);
}

impl Covers for Server {
    fn covers(&self, wanted: &Self) -> bool {
        self == wanted
    }
}

impl From<FetchAborted> for HelperFailure {
    fn from(_: FetchAborted) -> Self {
        let error = CredentialError::new("calling a credential helper panicked; please report this as a bug");
        Self { error, negative_ttl: None }
    }
}

impl FetchError for HelperFailure {
    fn negative_ttl(&self) -> Option<Duration> {
        self.negative_ttl
    }
}

const MAX_HELPERS: usize = 64;
/// The most cached answers for one helper.
const MAX_SERVERS: usize = 256;
/// The most last good answers, and the most rejections, that are kept.
const MAX_ENTRIES: usize = 1024;
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Shorter, because for a helper named in regpass's configuration nothing else makes regpass notice a first login.
const ANONYMOUS_LIFETIME: Duration = Duration::from_secs(60);
/// How long the last good answer is used before a failing helper is called again.
const LAST_GOOD_LIFETIME: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Counted from the latest rejection of the credential.
const REJECTION_TTL: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;

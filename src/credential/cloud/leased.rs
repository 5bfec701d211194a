//! A provider that holds what a cloud lent: asked once for many waiters, asked again ahead of the end while in use.
//!
//! While the cloud fails, what it lent stays in force to its end; after that requests hear why.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::failure::Failure;
use crate::base::lease::Lease;
use crate::base::lease_cache::{Covers, LeaseCache, Obtained};
use crate::credential::{
    Credential, CredentialError, CredentialId, CredentialProvider, Fetch, Found, Troubles, Wanted,
};

/// Somebody who lends logins.
pub(super) trait Lender: fmt::Debug + Send + Sync + 'static {
    /// What a login is good for, and whose it is: equal keys share one.
    type Key: Clone + fmt::Debug + Eq + Hash + Send + Sync + 'static;

    /// Which login serves this registry, of those that may be had.
    ///
    /// Called for every request: asks nobody, and looks at files as they are looked at.
    fn key(&self, wanted: &Wanted<'_>) -> impl Future<Output = Result<Self::Key, CredentialError>> + Send;

    fn lend(self: Arc<Self>, key: Self::Key) -> impl Future<Output = Result<Lent, Failure>> + Send;

    /// As [`CredentialProvider::troubles`].
    fn troubles(&self) -> Troubles<'_> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

/// A login, and for how long from when it was asked for.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) credential: Credential,
    pub(super) lifetime: Duration,
    /// For messages, as [`Found::source`].
    pub(super) source: String,
}

#[derive(Debug)]
pub(super) struct Leased<L: Lender> {
    lender: Arc<L>,
    /// Of the registries that it lends for.
    profiles: &'static [&'static str],
    leases: Arc<LeaseCache<(), Key<L::Key>, Found, Failure>>,
    failing: Arc<Failing<L::Key>>,
    refusals: Mutex<Refusals<L::Key>>,
    /// Held by who asks for a successor; others wait to see it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key<K>(K);

/// What registries refused of what is held, and when that last was a reason to ask for something newer.
#[derive(Debug)]
struct Refusals<K> {
    refused: HashSet<CredentialId>,
    asked: HashMap<K, Instant>,
}

/// What the lender fails with now, for each login that it lent.
type Failing<K> = Mutex<HashMap<K, String>>;

impl<L: Lender> Leased<L> {
    pub(super) fn new(lender: L, profiles: &'static [&'static str]) -> Self {
        Self {
            lender: Arc::new(lender),
            profiles,
            leases: LeaseCache::new(1, LOGINS),
            failing: Arc::default(),
            refusals: Mutex::new(Refusals { refused: HashSet::new(), asked: HashMap::new() }),
            turn: tokio::sync::Mutex::default(),
        }
    }

    async fn found(&self, wanted: &Wanted<'_>) -> Result<Found, CredentialError> {
        if !self.profiles.contains(&wanted.profile) {
            return Ok(Found::anonymous());
        }
        let key = Key(self.lender.key(wanted).await?);
        let obtained = self.held(&key).await?;
        let obtained = if obtained.fresh { obtained } else { self.newer_if_refused(&key, obtained).await? };
        Ok(obtained.lease.value.clone().until(obtained.lease.expires()))
    }

    async fn held(&self, key: &Key<L::Key>) -> Result<Obtained<Found>, CredentialError> {
        self.leases.get_or_fetch(&(), key, self.lend(key)).await.map_err(|failure| failure.error.clone())
    }

    /// After a refusal, the successor: asked for once in a while, and never at the price of what is held.
    async fn newer_if_refused(
        &self,
        key: &Key<L::Key>,
        held: Obtained<Found>,
    ) -> Result<Obtained<Found>, CredentialError> {
        if !self.refusals().refused.contains(&held.lease.value.id) {
            return Ok(held);
        }
        let _turn = self.turn.lock().await;
        let held = self.held(key).await?;
        if !self.refusals().is_time(held.lease.value.id, &key.0) {
            return Ok(held);
        }
        let newer = self.leases.get_or_fetch_newer(&(), key, &held.lease, self.lend(key)).await;
        newer.map_err(|failure| failure.error.clone())
    }

    /// One call of the lender, whose failures are told while something older is still in force.
    fn lend(
        &self,
        key: &Key<L::Key>,
    ) -> impl Fn() -> BoxFuture<'static, Result<Lease<Found>, Failure>> + Send + Sync + 'static {
        let (lender, failing, Key(key)) = (self.lender.clone(), self.failing.clone(), key.clone());
        let leases = Arc::downgrade(&self.leases);
        move || {
            let (lender, failing, key, leases) = (lender.clone(), failing.clone(), key.clone(), leases.clone());
            Box::pin(async move {
                let begun = Instant::now();
                let outcome = timeout(DEADLINE, lender.lend(key.clone())).await.unwrap_or_else(|_| {
                    let limit = DEADLINE.as_secs();
                    Err(CredentialError::new(format!("the cloud lent no login within {limit} s")).into())
                });
                let is_held = || {
                    let held = leases.upgrade().map(|leases| leases.held()).unwrap_or_default();
                    held.iter().any(|((), held, _)| held.0 == key)
                };
                note(&failing, &key, outcome.as_ref().err(), is_held);
                let Lent { credential, lifetime, source } = outcome?;
                Ok(Lease::new(Found::new(credential, source), begun, lifetime))
            })
        }
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals<L::Key>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Refusals<K> {
    /// Whether the successor of `held` may be asked for. Says so once in a while, also where each successor is refused
    /// in its turn.
    fn is_time(&mut self, held: CredentialId, key: &K) -> bool {
        let now = Instant::now();
        self.asked.retain(|_, asked| now < *asked + PAUSE);
        let is_time = self.refused.contains(&held) && !self.asked.contains_key(key);
        if is_time {
            self.asked.insert(key.clone(), now);
        }
        is_time
    }
}

impl<L: Lender> CredentialProvider for Leased<L> {
    fn fetch<'a>(&'a self, wanted: &'a Wanted<'a>) -> Fetch<'a> {
        Box::pin(self.found(wanted))
    }

    fn refused(&self, id: CredentialId) {
        let held: Vec<CredentialId> = self.leases.held().iter().map(|((), _, lease)| lease.value.id).collect();
        let refused = &mut self.refusals().refused;
        refused.retain(|id| held.contains(id));
        if held.contains(&id) {
            refused.insert(id);
        }
    }

    fn doubted(&self, id: CredentialId) {
        let now = Instant::now();
        let is_new = self.leases.held().iter().any(|((), _, lease)| lease.value.id == id && lease.is_new(now));
        if !is_new {
            self.refused(id);
        }
    }

    fn troubles(&self) -> Troubles<'_> {
        self.lender.troubles()
    }
}

/// Tells once of each new failure that nobody hears of otherwise, and once that it is over.
fn note<K: Clone + Eq + Hash>(
    failing: &Failing<K>,
    key: &K,
    failure: Option<&Failure>,
    is_held: impl FnOnce() -> bool,
) {
    let mut failing = failing.lock().unwrap_or_else(PoisonError::into_inner);
    match failure {
        Some(failure) => {
            let error = &failure.error.what;
            if failing.get(key) != Some(error) && is_held() {
                warn!(
                    blame = "credential",
                    error, "a cloud renews no login; what it last lent stays in force to its end"
                );
                if failing.len() < LOGINS || failing.contains_key(key) {
                    failing.insert(key.clone(), error.clone());
                }
            }
        }
        None if failing.remove(key).is_some() => info!("the cloud lends logins again"),
        None => {}
    }
}

impl<K: Eq> Covers for Key<K> {
    fn covers(&self, wanted: &Self) -> bool {
        self == wanted
    }
}

const LOGINS: usize = 256;
/// All steps of one login together.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a lender is left alone with logins that registries go on refusing.
const PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;

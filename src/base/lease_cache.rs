//! A single-flight cache of values that expire. It renews those in use in the background before they do.
//!
//! Leases are grouped (for example, all tokens of one registry, credential and realm). Within a group a lease also
//! serves requests that its key *covers*: a token for `pull,push` serves a `pull`. Every fetch runs on a task of its
//! own, so cancelling one caller does not cancel the fetch that other callers wait for. The task of a lease renews it
//! when it is due and in use, and removes it when it expires.

mod renewal;
mod renewal_control;
mod slot;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::lease::Lease;
use renewal_control::RenewalControl;
use slot::{AnySlot, Slot, evict_one, find, find_any};

/// A key that says what its lease permits, so that one lease can serve several keys.
pub trait Covers: Clone + Eq + Hash + Send + Sync + 'static {
    /// Whether a lease fetched for `self` also serves a request for `requested`. Reflexive.
    fn covers(&self, requested: &Self) -> bool;
}

/// The error of a failed fetch, as far as the cache needs it.
pub trait FetchError: From<FetchAborted> + Send + Sync + 'static {
    /// How long the cache answers later callers with this error, without a new fetch. `None` for every error but a
    /// denial: a transient error reaches only the callers that are already waiting.
    fn negative_ttl(&self) -> Option<Duration>;

    /// Minimum time until the next renewal attempt, as the server's `Retry-After` asked.
    fn min_renewal_delay(&self) -> Option<Duration> {
        None
    }
}

/// A fetch that panicked or was dropped without an outcome.
#[derive(Clone, Copy, Debug)]
pub struct FetchAborted;

/// A lease from the cache.
#[derive(Debug)]
pub struct Obtained<V> {
    pub lease: Arc<Lease<V>>,
    /// Whether the caller waited for the first fetch of the key. `false` for a cached lease, also when the caller
    /// waited for its renewal.
    pub is_newly_fetched: bool,
    /// Whether the lease was fetched for another key that does not cover the requested one.
    pub is_of_other_key: bool,
}

impl<V> Obtained<V> {
    fn new(lease: Arc<Lease<V>>, is_newly_fetched: bool) -> Self {
        Self { lease, is_newly_fetched, is_of_other_key: false }
    }

    fn of_other_key(lease: Arc<Lease<V>>) -> Self {
        Self { lease, is_newly_fetched: false, is_of_other_key: true }
    }
}

/// Waits for the outcome of a fetch.
async fn outcome_of<V, E: FetchError>(fetching: &mut watch::Receiver<Option<Outcome<V, E>>>) -> Outcome<V, E> {
    let outcome = fetching.wait_for(Option::is_some).await.ok().and_then(|outcome| (*outcome).clone());
    outcome.unwrap_or_else(|| Err(Arc::new(E::from(FetchAborted))))
}

type Outcome<V, E> = Result<Arc<Lease<V>>, Arc<E>>;
type Fetching<V, E> = Pin<Box<dyn Future<Output = Result<Lease<V>, E>> + Send>>;
type Fetch<V, E> = Arc<dyn Fn() -> Fetching<V, E> + Send + Sync>;

/// A cache of leases with values `V` by group `G` and key `K`. `E` is the error of a fetch.
pub struct LeaseCache<G, K, V, E> {
    groups: DashMap<G, HashMap<K, Slot<V, E>>>,
    max_groups: usize,
    max_per_group: usize,
}

impl<G, K: Covers, V, E: FetchError> LeaseCache<G, K, V, E>
where
    G: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Creates a cache of at most `max_groups` groups with `max_per_group` leases each.
    pub fn new(max_groups: usize, max_per_group: usize) -> Arc<Self> {
        Arc::new(Self { groups: DashMap::new(), max_groups, max_per_group })
    }

    /// Returns a lease for `key` or for a key that covers it; fetches one if there is none. Concurrent callers share
    /// one fetch. While a denial is cached, returns that error.
    ///
    /// The cache keeps `fetch` to renew the lease while it is in use.
    pub async fn get_or_fetch<F, R>(self: &Arc<Self>, group: &G, key: &K, fetch: F) -> Result<Obtained<V>, Arc<E>>
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Lease<V>, E>> + Send + 'static,
    {
        self.obtain(group, key, fetch, false).await
    }

    /// As [`get_or_fetch`](Self::get_or_fetch), for groups in which the lease of any key may serve every key: returns a
    /// lease of another key, or waits for one that is being fetched, before it fetches one for `key`.
    pub async fn get_any_or_fetch<F, R>(self: &Arc<Self>, group: &G, key: &K, fetch: F) -> Result<Obtained<V>, Arc<E>>
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Lease<V>, E>> + Send + 'static,
    {
        self.obtain(group, key, fetch, true).await
    }

    async fn obtain<F, R>(
        self: &Arc<Self>,
        group: &G,
        key: &K,
        fetch: F,
        mut accepts_any: bool,
    ) -> Result<Obtained<V>, Arc<E>>
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Lease<V>, E>> + Send + 'static,
    {
        self.evict_groups_for(group);
        loop {
            // The block releases the lock of the map before the awaits below.
            let mut fetching = {
                let mut slots = self.groups.entry(group.clone()).or_default();
                let now = Instant::now();
                if let Some(lease) = find(&slots, key, now) {
                    return Ok(Obtained::new(lease, false));
                }
                let is_pending = slots.get(key).is_some_and(|slot| slot.is_pending(now));
                let other = if accepts_any && !is_pending { find_any(&slots, now) } else { None };
                match (other, slots.get(key)) {
                    (Some(AnySlot::Held(lease)), _) => return Ok(Obtained::of_other_key(lease)),
                    (Some(AnySlot::Fetching(outcome)), _) => outcome,
                    (None, Some(Slot::Fetching(outcome))) => {
                        accepts_any = false;
                        outcome.clone()
                    }
                    (None, Some(Slot::Denied { error, until })) if now < *until => return Err(error.clone()),
                    (None, _) => {
                        if slots.len() >= self.max_per_group {
                            evict_one(&mut slots, now);
                        }
                        let (sender, mut outcome) = watch::channel(None);
                        slots.insert(key.clone(), Slot::Fetching(outcome.clone()));
                        let fetch: Fetch<V, E> = Arc::new(move || Box::pin(fetch()));
                        tokio::spawn(self.clone().fetch_first(group.clone(), key.clone(), fetch, sender));
                        drop(slots);
                        return outcome_of(&mut outcome).await.map(|lease| Obtained::new(lease, true));
                    }
                }
            };
            match outcome_of(&mut fetching).await {
                Ok(lease) if accepts_any => return Ok(Obtained::of_other_key(lease)),
                // The other key's fetch failed, which says nothing about this key.
                Err(_) if accepts_any => accepts_any = false,
                outcome => return outcome.map(|lease| Obtained::new(lease, true)),
            }
        }
    }

    /// As [`get_or_fetch`](Self::get_or_fetch), for a use that takes `needed`: a cached lease that expires earlier
    /// is renewed first. If the renewal fails or takes more than 15 s, returns the cached one.
    pub async fn get_or_fetch_valid_for<F, R>(
        self: &Arc<Self>,
        group: &G,
        key: &K,
        needed: Duration,
        fetch: F,
    ) -> Result<Obtained<V>, Arc<E>>
    where
        F: Fn() -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<Lease<V>, E>> + Send + 'static,
    {
        let obtained = self.get_or_fetch(group, key, fetch.clone()).await?;
        if obtained.is_newly_fetched || obtained.lease.outlasts(needed, Instant::now()) {
            return Ok(obtained);
        }
        self.get_or_fetch_newer(group, key, &obtained.lease, fetch).await
    }

    /// As [`get_or_fetch`](Self::get_or_fetch), but renews `old` first if it is still cached. If the renewal fails or
    /// takes more than 15 s, returns `old` while it is valid.
    pub async fn get_or_fetch_newer<F, R>(
        self: &Arc<Self>,
        group: &G,
        key: &K,
        old: &Arc<Lease<V>>,
        fetch: F,
    ) -> Result<Obtained<V>, Arc<E>>
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Lease<V>, E>> + Send + 'static,
    {
        if let Some(control) = self.control_of(group, old) {
            let mut attempts = control.attempts.subscribe();
            control.renew_now.notify_one();
            _ = timeout(RENEWAL_WAIT, attempts.changed()).await;
        }
        self.get_or_fetch(group, key, fetch).await
    }

    fn control_of(&self, group: &G, wanted: &Arc<Lease<V>>) -> Option<Arc<RenewalControl>> {
        let slots = self.groups.get(group)?;
        slots.values().find_map(|slot| match slot {
            Slot::Held { lease, renewal } if Arc::ptr_eq(lease, wanted) => Some(renewal.0.clone()),
            _ => None,
        })
    }

    /// Removes this lease after the upstream rejected it. A successor that has replaced it meanwhile stays.
    pub fn reject(&self, group: &G, rejected: &Arc<Lease<V>>) {
        if let Some(mut slots) = self.groups.get_mut(group) {
            slots.retain(|_, slot| !matches!(slot, Slot::Held { lease, .. } if Arc::ptr_eq(lease, rejected)));
        }
    }

    /// Removes the groups for which `keep` is false, with all their leases.
    pub fn retain(&self, keep: impl Fn(&G) -> bool) {
        self.groups.retain(|group, _| keep(group));
    }

    /// All cached leases with their groups and keys.
    pub fn snapshot(&self) -> Vec<(G, K, Arc<Lease<V>>)> {
        let mut all = Vec::new();
        for group in &self.groups {
            for (key, slot) in group.value() {
                if let Slot::Held { lease, .. } = slot {
                    all.push((group.key().clone(), key.clone(), lease.clone()));
                }
            }
        }
        all
    }

    /// Makes room for `group` if the cache is full: removes expired entries, else an arbitrary group. Runs before the
    /// caller locks its group, because dashmap's locks do not nest.
    fn evict_groups_for(&self, group: &G) {
        if self.groups.len() < self.max_groups || self.groups.contains_key(group) {
            return;
        }
        let now = Instant::now();
        self.groups.retain(|_, slots| {
            slots.retain(|_, slot| slot.is_worth_keeping(now));
            !slots.is_empty()
        });
        if self.groups.len() >= self.max_groups {
            let victim = self.groups.iter().next().map(|entry| entry.key().clone());
            if let Some(victim) = victim {
                self.groups.remove(&victim);
            }
        }
    }
}

impl<G, K, V, E> fmt::Debug for LeaseCache<G, K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseCache").finish_non_exhaustive()
    }
}

/// How long to wait for a renewal before using the old lease.
const RENEWAL_WAIT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;

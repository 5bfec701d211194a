//! One fetch, many waiters, no hostages: a cache of leases with single flight and renewal ahead of expiry.
//!
//! Leases stand in groups (all tokens of one registry, credential and realm), and within a group a lease is found
//! by *covering*: a token for `pull,push` serves a `pull`. Every fetch runs on its own task, so a caller that goes
//! away takes nothing with it. Each held lease has a keeper task that fetches its successor when it falls due and
//! was used, and drops it at its end.

mod keeper;
mod slot;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::lease::{Freshness, Lease};
use keeper::{Keeper, Kept};
use slot::{Slot, evict_one, find};

/// Says which leases can stand in for which.
pub trait Covers {
    /// Whether a lease fetched for `self` serves a caller who asked for `wanted`. Reflexive.
    fn covers(&self, wanted: &Self) -> bool;
}

/// What a failed fetch must tell the cache.
pub trait FetchError: From<Abandoned> {
    /// How long later callers get this failure without a new fetch. `None` for anything but a deliberate refusal:
    /// a hiccup is shared with those who already wait for it, and with nobody after.
    fn remembered_for(&self) -> Option<Duration>;

    /// How long whoever was asked wants to be left alone with renewals.
    fn put_off_for(&self) -> Option<Duration> {
        None
    }
}

/// The fetching task died without an answer.
#[derive(Clone, Copy, Debug)]
pub struct Abandoned;

/// A lease, and whether it was fetched for this caller rather than found.
#[derive(Debug)]
pub struct Obtained<V> {
    pub lease: Arc<Lease<V>>,
    pub fresh: bool,
}

type Outcome<V, E> = Result<Arc<Lease<V>>, Arc<E>>;
type Fetching<V, E> = Pin<Box<dyn Future<Output = Result<Lease<V>, E>> + Send>>;
type Fetch<V, E> = Arc<dyn Fn() -> Fetching<V, E> + Send + Sync>;

pub struct LeaseCache<G, K, V, E> {
    groups: DashMap<G, HashMap<K, Slot<V, E>>>,
    group_cap: usize,
    slot_cap: usize,
}

impl<G, K, V, E> LeaseCache<G, K, V, E>
where
    G: Clone + Eq + Hash + Send + Sync + 'static,
    K: Clone + Covers + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
    E: FetchError + Send + Sync + 'static,
{
    /// A cache of at most `group_cap` groups with `slot_cap` leases each.
    pub fn new(group_cap: usize, slot_cap: usize) -> Arc<Self> {
        Arc::new(Self { groups: DashMap::new(), group_cap, slot_cap })
    }

    /// The lease for `key`, or one that covers it, or the outcome of fetching it.
    ///
    /// `fetch` is kept for renewals as long as the lease is in use.
    pub async fn get_or_fetch<F, R>(self: &Arc<Self>, group: &G, key: &K, fetch: F) -> Result<Obtained<V>, Arc<E>>
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Lease<V>, E>> + Send + 'static,
    {
        self.make_room(group);
        // The shard lock lives in this block and no await does.
        let mut told = {
            let mut slots = self.groups.entry(group.clone()).or_default();
            let now = Instant::now();
            if let Some(lease) = find(&slots, key, now) {
                return Ok(Obtained { lease, fresh: false });
            }
            match slots.get(key) {
                Some(Slot::Fetching(told)) => told.clone(),
                Some(Slot::Refused { error, until }) if now < *until => return Err(error.clone()),
                _ => {
                    if slots.len() >= self.slot_cap {
                        evict_one(&mut slots, now);
                    }
                    let (tell, told) = watch::channel(None);
                    slots.insert(key.clone(), Slot::Fetching(told.clone()));
                    let fetch: Fetch<V, E> = Arc::new(move || Box::pin(fetch()));
                    tokio::spawn(self.clone().fetch_first(group.clone(), key.clone(), fetch, tell));
                    told
                }
            }
        };
        match told.wait_for(Option::is_some).await.map(|outcome| (*outcome).clone()) {
            Ok(Some(Ok(lease))) => Ok(Obtained { lease, fresh: true }),
            Ok(Some(Err(error))) => Err(error),
            Ok(None) | Err(_) => Err(Arc::new(E::from(Abandoned))),
        }
    }

    /// As [`get_or_fetch`](Self::get_or_fetch), for something that takes `needed`: a held lease that ends before is
    /// renewed first. When renewing fails or is no use, what is held has to do.
    pub async fn get_or_fetch_lasting<F, R>(
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
        if obtained.fresh || obtained.lease.outlasts(needed, Instant::now()) {
            return Ok(obtained);
        }
        self.get_or_fetch_newer(group, key, &obtained.lease, fetch).await
    }

    /// As [`get_or_fetch`](Self::get_or_fetch), with the successor of `old` if there is one or can be one: what is held
    /// has to do otherwise.
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
        if let Some(keeper) = self.keeper_of(group, old) {
            let mut attempts = keeper.attempts.subscribe();
            keeper.hurry.notify_one();
            _ = timeout(HURRY, attempts.changed()).await;
        }
        self.get_or_fetch(group, key, fetch).await
    }

    fn keeper_of(&self, group: &G, lease: &Arc<Lease<V>>) -> Option<Arc<Keeper>> {
        let slots = self.groups.get(group)?;
        slots.values().find_map(|slot| match slot {
            Slot::Held { lease: held, keeper } if Arc::ptr_eq(held, lease) => Some(keeper.0.clone()),
            _ => None,
        })
    }

    /// The upstream refused this very lease: forget it. A newer one, put there meanwhile, stays.
    pub fn reject(&self, group: &G, refused: &Arc<Lease<V>>) {
        if let Some(mut slots) = self.groups.get_mut(group) {
            slots.retain(|_, slot| !matches!(slot, Slot::Held { lease, .. } if Arc::ptr_eq(lease, refused)));
        }
    }

    /// Forgets the groups that are not to be kept, with all their leases.
    pub fn retain(&self, keep: impl Fn(&G) -> bool) {
        self.groups.retain(|group, _| keep(group));
    }

    /// Every lease held now, for people to look at.
    pub fn held(&self) -> Vec<(G, K, Arc<Lease<V>>)> {
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

    async fn fetch_first(
        self: Arc<Self>,
        group: G,
        key: K,
        fetch: Fetch<V, E>,
        tell: watch::Sender<Option<Outcome<V, E>>>,
    ) {
        let outcome = run(&fetch).await;
        let now = Instant::now();
        let mut kept = None;
        if let Some(mut slots) = self.groups.get_mut(&group) {
            match &outcome {
                // A lease that is over at birth serves those who wait for it and nobody else.
                Ok(lease) if lease.freshness(now) != Freshness::Expired => {
                    let keeper = Arc::new(Keeper::new(now));
                    slots.insert(key.clone(), Slot::Held { lease: lease.clone(), keeper: Kept(keeper.clone()) });
                    kept = Some((lease.clone(), keeper));
                }
                Ok(_) => drop(slots.remove(&key)),
                Err(error) => match error.remembered_for() {
                    Some(pause) => {
                        slots.insert(key.clone(), Slot::Refused { error: error.clone(), until: now + pause });
                    }
                    None => drop(slots.remove(&key)),
                },
            }
        }
        tell.send_replace(Some(outcome));
        if let Some((lease, keeper)) = kept {
            self.keep(group, key, fetch, lease, keeper).await;
        }
    }

    /// Looks after one slot until its lease ends unused, is rejected or is replaced by somebody else.
    ///
    /// A lease is renewed when it is in use, also when that was a moment before it came: who comes every minute finds a
    /// token of 60 s, though it is renewed more often than that.
    async fn keep(
        self: Arc<Self>,
        group: G,
        key: K,
        fetch: Fetch<V, E>,
        mut lease: Arc<Lease<V>>,
        keeper: Arc<Keeper>,
    ) {
        let mut came = keeper.born;
        loop {
            let hurried = tokio::select! {
                () = keeper.gone.notified() => return,
                () = keeper.hurry.notified() => true,
                () = sleep_until(lease.due()) => false,
            };
            if !hurried && !keeper.is_in_use(&lease, came, Instant::now()) {
                tokio::select! {
                    () = keeper.gone.notified() => return,
                    () = sleep_until(lease.expires()) => {}
                    () = keeper.used_while_due.notified() => {}
                    () = keeper.hurry.notified() => {}
                }
            }
            match self.renew(&group, &key, &fetch, &lease, &keeper).await {
                Some(successor) => (lease, came) = (successor, Instant::now()),
                None => return self.forget(&group, &key, &keeper),
            }
        }
    }

    /// Fetches the successor of `lease`, trying again until the lease ends; after a refusal only when somebody needs it.
    async fn renew(
        &self,
        group: &G,
        key: &K,
        fetch: &Fetch<V, E>,
        lease: &Lease<V>,
        keeper: &Arc<Keeper>,
    ) -> Option<Arc<Lease<V>>> {
        loop {
            let now = Instant::now();
            if lease.freshness(now) == Freshness::Expired || !self.is_kept_by(group, key, keeper) {
                return None;
            }
            let outcome = run(fetch).await;
            let now = Instant::now();
            let put_off = outcome.as_ref().err().and_then(|error| error.put_off_for()).unwrap_or_default();
            if let Ok(successor) = &outcome
                && successor.freshness(now) != Freshness::Expired
            {
                let mut slots = self.groups.get_mut(group)?;
                let Some(Slot::Held { lease, keeper: theirs }) = slots.get_mut(key) else { return None };
                if !Arc::ptr_eq(&theirs.0, keeper) {
                    return None;
                }
                *lease = successor.clone();
                keeper.attempts.send_modify(|attempts| *attempts += 1);
                // Whoever used the old lease meanwhile did not wish for the successor's successor.
                _ = keeper.used_while_due.notified().now_or_never();
                return Some(successor.clone());
            }
            keeper.attempts.send_modify(|attempts| *attempts += 1);
            let left = lease.expires().saturating_duration_since(now);
            // Who said no to a login says no to it again, and may count how often it was shown.
            let is_refused = outcome.is_err_and(|error| error.remembered_for().is_some());
            let pause = if is_refused { left } else { left / 4 };
            // A quarter of a long life is long for somebody who needs the successor.
            // And nobody waits for longer than the lease lives.
            let shortest = SHORTEST_PAUSE.max(put_off.min(left));
            let hurried = async {
                sleep_until(now + shortest).await;
                keeper.hurry.notified().await;
            };
            _ = timeout_at(now + pause.max(shortest), hurried).await;
        }
    }

    fn is_kept_by(&self, group: &G, key: &K, keeper: &Arc<Keeper>) -> bool {
        self.groups.get(group).is_some_and(
            |slots| matches!(slots.get(key), Some(Slot::Held { keeper: theirs, .. }) if Arc::ptr_eq(&theirs.0, keeper)),
        )
    }

    fn forget(&self, group: &G, key: &K, keeper: &Arc<Keeper>) {
        if let Some(mut slots) = self.groups.get_mut(group)
            && matches!(slots.get(key), Some(Slot::Held { keeper: theirs, .. }) if Arc::ptr_eq(&theirs.0, keeper))
        {
            slots.remove(key);
        }
        self.groups.remove_if(group, |_, slots| slots.is_empty());
    }

    /// Keeps the number of groups bounded. Runs before the entry is taken: dashmap's locks do not nest.
    fn make_room(&self, group: &G) {
        if self.groups.len() < self.group_cap || self.groups.contains_key(group) {
            return;
        }
        let now = Instant::now();
        self.groups.retain(|_, slots| {
            slots.retain(|_, slot| slot.is_worth_keeping(now));
            !slots.is_empty()
        });
        if self.groups.len() >= self.group_cap {
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

async fn run<V, E: FetchError>(fetch: &Fetch<V, E>) -> Outcome<V, E> {
    match AssertUnwindSafe(fetch()).catch_unwind().await {
        Ok(Ok(lease)) => Ok(Arc::new(lease)),
        Ok(Err(error)) => Err(Arc::new(error)),
        Err(_panic) => Err(Arc::new(E::from(Abandoned))),
    }
}

/// How long one waits for a longer life.
const HURRY: Duration = Duration::from_secs(15);
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;

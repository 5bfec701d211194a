//! The task of each lease: fetches it, renews it while it is used, and removes it at its end.

use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::lease::{Freshness, Lease};
use super::renewal_control::{RenewalControl, RenewalGuard};
use super::slot::Slot;
use super::{Covers, Fetch, FetchAborted, FetchError, LeaseCache, Outcome};

impl<G, K: Covers, V, E: FetchError> LeaseCache<G, K, V, E>
where
    G: Clone + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Fetches a lease for the first time, passes the outcome to the waiting callers, and then runs as the task of the
    /// lease.
    pub(super) async fn fetch_first(
        self: Arc<Self>,
        group: G,
        key: K,
        fetch: Fetch<V, E>,
        waiting: watch::Sender<Option<Outcome<V, E>>>,
    ) {
        let outcome = run(&fetch).await;
        let now = Instant::now();
        let mut held = None;
        if let Some(mut slots) = self.groups.get_mut(&group) {
            match &outcome {
                // A lease that is already expired serves only the callers that wait for it.
                Ok(lease) if lease.freshness(now) != Freshness::Expired => {
                    let control = Arc::new(RenewalControl::new(now));
                    let renewal = RenewalGuard(control.clone());
                    slots.insert(key.clone(), Slot::Held { lease: lease.clone(), renewal });
                    held = Some((lease.clone(), control));
                }
                Ok(_) => drop(slots.remove(&key)),
                Err(error) => match error.negative_ttl() {
                    Some(ttl) => {
                        slots.insert(key.clone(), Slot::Denied { error: error.clone(), until: now + ttl });
                    }
                    None => drop(slots.remove(&key)),
                },
            }
        }
        waiting.send_replace(Some(outcome));
        if let Some((lease, control)) = held {
            self.keep(group, key, fetch, lease, control).await;
        }
    }

    /// Renews one lease until it expires, unused or because renewals failed, is rejected or its slot is replaced.
    ///
    /// A lease also counts as used if the last use was of its predecessor, shortly before the renewal. So a client that
    /// sends a request every minute always finds a token of 60 s, although that is renewed more often.
    async fn keep(
        self: Arc<Self>,
        group: G,
        key: K,
        fetch: Fetch<V, E>,
        mut lease: Arc<Lease<V>>,
        control: Arc<RenewalControl>,
    ) {
        let mut fetched_at = control.created;
        loop {
            let is_requested = tokio::select! {
                () = control.stopped.notified() => return,
                () = control.renew_now.notified() => true,
                () = sleep_until(lease.due()) => false,
            };
            if !is_requested && !control.is_in_use(&lease, fetched_at, Instant::now()) {
                tokio::select! {
                    () = control.stopped.notified() => return,
                    () = sleep_until(lease.expires()) => {}
                    () = control.used_while_due.notified() => {}
                    () = control.renew_now.notified() => {}
                }
            }
            match self.renew(&group, &key, &fetch, &lease, &control).await {
                Some(successor) => (lease, fetched_at) = (successor, Instant::now()),
                None => return self.remove(&group, &key, &control),
            }
        }
    }

    /// Fetches the successor of `lease`. Retries until the lease expires, after a denial only if a caller needs a
    /// successor. `None` if the lease expired or was removed first.
    async fn renew(
        &self,
        group: &G,
        key: &K,
        fetch: &Fetch<V, E>,
        lease: &Lease<V>,
        control: &Arc<RenewalControl>,
    ) -> Option<Arc<Lease<V>>> {
        loop {
            let now = Instant::now();
            if lease.freshness(now) == Freshness::Expired || !self.is_controlled_by(group, key, control) {
                return None;
            }
            let outcome = run(fetch).await;
            let now = Instant::now();
            let min_delay = outcome.as_ref().err().and_then(|error| error.min_renewal_delay()).unwrap_or_default();
            if let Ok(successor) = &outcome
                && successor.freshness(now) != Freshness::Expired
            {
                let mut slots = self.groups.get_mut(group)?;
                let Some(Slot::Held { lease, renewal }) = slots.get_mut(key) else { return None };
                if !Arc::ptr_eq(&renewal.0, control) {
                    return None;
                }
                *lease = successor.clone();
                control.attempts.send_modify(|attempts| *attempts += 1);
                // A use of the old lease during the fetch must not trigger another renewal.
                _ = control.used_while_due.notified().now_or_never();
                return Some(successor.clone());
            }
            control.attempts.send_modify(|attempts| *attempts += 1);
            let left = lease.expires().saturating_duration_since(now);
            // The server would deny the same credential again, and may lock it after too many attempts.
            let is_denied = outcome.is_err_and(|error| error.negative_ttl().is_some());
            let delay = if is_denied { left } else { left / 4 };
            // A delay beyond the end of the lease would only keep the expired lease in the cache.
            let min_delay = MIN_RETRY_DELAY.max(min_delay.min(left));
            // A caller that needs the successor ends the delay early, but not before `min_delay`.
            let requested = async {
                sleep_until(now + min_delay).await;
                control.renew_now.notified().await;
            };
            _ = timeout_at(now + delay.max(min_delay), requested).await;
        }
    }

    fn is_controlled_by(&self, group: &G, key: &K, control: &Arc<RenewalControl>) -> bool {
        self.groups.get(group).is_some_and(
            |slots| matches!(slots.get(key), Some(Slot::Held { renewal, .. }) if Arc::ptr_eq(&renewal.0, control)),
        )
    }

    fn remove(&self, group: &G, key: &K, control: &Arc<RenewalControl>) {
        if let Some(mut slots) = self.groups.get_mut(group)
            && matches!(slots.get(key), Some(Slot::Held { renewal, .. }) if Arc::ptr_eq(&renewal.0, control))
        {
            slots.remove(key);
        }
        self.groups.remove_if(group, |_, slots| slots.is_empty());
    }
}

/// Runs a fetch. A panic becomes an error.
async fn run<V, E: FetchError>(fetch: &Fetch<V, E>) -> Outcome<V, E> {
    match AssertUnwindSafe(fetch()).catch_unwind().await {
        Ok(Ok(lease)) => Ok(Arc::new(lease)),
        Ok(Err(error)) => Err(Arc::new(error)),
        Err(_panic) => Err(Arc::new(E::from(FetchAborted))),
    }
}

const MIN_RETRY_DELAY: Duration = Duration::from_millis(250);

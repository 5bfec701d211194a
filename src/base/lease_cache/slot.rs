//! The entries of a group, their lookup and their eviction.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::lease::{Freshness, Lease};
use super::renewal_control::RenewalGuard;
use super::{Covers, Outcome};

/// The cache entry for one key of a group.
pub(super) enum Slot<V, E> {
    /// The first fetch is under way.
    Fetching(watch::Receiver<Option<Outcome<V, E>>>),
    Held {
        lease: Arc<Lease<V>>,
        renewal: RenewalGuard,
    },
    /// Negative cache: callers get `error` before `until`.
    Denied {
        error: Arc<E>,
        until: Instant,
    },
}

impl<V, E> Slot<V, E> {
    pub(super) fn is_worth_keeping(&self, now: Instant) -> bool {
        match self {
            Self::Fetching(_) => true,
            Self::Held { lease, renewal } => match lease.freshness(now) {
                Freshness::Fresh => true,
                Freshness::Due => renewal.0.is_recently_used(lease, now),
                Freshness::Expired => false,
            },
            Self::Denied { until, .. } => now < *until,
        }
    }
}

/// Finds the lease for `key` or one that covers it, and records the use.
pub(super) fn find<K: Covers, V, E>(slots: &HashMap<K, Slot<V, E>>, key: &K, now: Instant) -> Option<Arc<Lease<V>>> {
    let exact = slots.get(key).and_then(|slot| slot.use_lease(now));
    exact.or_else(|| slots.iter().filter(|(other, _)| other.covers(key)).find_map(|(_, slot)| slot.use_lease(now)))
}

/// A slot of any key.
pub(super) enum AnySlot<V, E> {
    Fetching(watch::Receiver<Option<Outcome<V, E>>>),
    Held(Arc<Lease<V>>),
}

/// Finds the lease that expires last, whatever its key, and records the use; else a fetch that is under way.
pub(super) fn find_any<K, V, E>(slots: &HashMap<K, Slot<V, E>>, now: Instant) -> Option<AnySlot<V, E>> {
    let expiry = |slot: &&Slot<V, E>| match slot {
        Slot::Held { lease, .. } => Some(lease.expires()),
        Slot::Fetching(_) | Slot::Denied { .. } => None,
    };
    let held = slots.values().max_by_key(expiry).and_then(|slot| slot.use_lease(now)).map(AnySlot::Held);
    held.or_else(|| {
        slots.values().find_map(|slot| match slot {
            Slot::Fetching(outcome) => Some(AnySlot::Fetching(outcome.clone())),
            Slot::Held { .. } | Slot::Denied { .. } => None,
        })
    })
}

impl<V, E> Slot<V, E> {
    /// Whether the slot has an outcome for its own key, or will have one, without a lease yet.
    pub(super) fn is_pending(&self, now: Instant) -> bool {
        match self {
            Self::Fetching(_) => true,
            Self::Denied { until, .. } => now < *until,
            Self::Held { .. } => false,
        }
    }

    fn use_lease(&self, now: Instant) -> Option<Arc<Lease<V>>> {
        let Self::Held { lease, renewal } = self else { return None };
        match lease.freshness(now) {
            Freshness::Expired => return None,
            Freshness::Due => renewal.0.used_while_due.notify_one(),
            Freshness::Fresh => {}
        }
        renewal.0.record_use(now);
        Some(lease.clone())
    }
}

/// Makes room in a full group: removes expired and unused entries, else the one that expires first.
pub(super) fn evict_one<K: Clone + Eq + Hash, V, E>(slots: &mut HashMap<K, Slot<V, E>>, now: Instant) {
    let before = slots.len();
    slots.retain(|_, slot| slot.is_worth_keeping(now));
    if slots.len() < before {
        return;
    }
    let expiry = |slot: &Slot<V, E>| match slot {
        Slot::Fetching(_) => None,
        Slot::Held { lease, .. } => Some(lease.expires()),
        Slot::Denied { until, .. } => Some(*until),
    };
    let victim = slots.iter().filter_map(|(key, slot)| Some((expiry(slot)?, key))).min_by_key(|(expiry, _)| *expiry);
    if let Some(victim) = victim.map(|(_, key)| key.clone()) {
        slots.remove(&victim);
    }
}

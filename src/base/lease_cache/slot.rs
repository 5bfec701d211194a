//! What stands in a group of leases, and what goes when there are too many.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::lease::{Freshness, Lease};
use super::keeper::Kept;
use super::{Covers, Outcome};

pub(super) enum Slot<V, E> {
    Fetching(watch::Receiver<Option<Outcome<V, E>>>),
    Held { lease: Arc<Lease<V>>, keeper: Kept },
    Refused { error: Arc<E>, until: Instant },
}

impl<V, E> Slot<V, E> {
    pub(super) fn is_worth_keeping(&self, now: Instant) -> bool {
        match self {
            Self::Fetching(_) => true,
            Self::Held { lease, keeper } => match lease.freshness(now) {
                Freshness::Fresh => true,
                Freshness::Due => keeper.0.is_warm(lease, now),
                Freshness::Expired => false,
            },
            Self::Refused { until, .. } => now < *until,
        }
    }
}

/// The lease for `key`, or one that stands in for it.
pub(super) fn find<K: Covers + Eq + Hash, V, E>(
    slots: &HashMap<K, Slot<V, E>>,
    key: &K,
    now: Instant,
) -> Option<Arc<Lease<V>>> {
    let exact = slots.get(key).and_then(|slot| slot.take(now));
    exact.or_else(|| slots.iter().filter(|(held, _)| held.covers(key)).find_map(|(_, slot)| slot.take(now)))
}

impl<V, E> Slot<V, E> {
    fn take(&self, now: Instant) -> Option<Arc<Lease<V>>> {
        let Self::Held { lease, keeper } = self else { return None };
        match lease.freshness(now) {
            Freshness::Expired => return None,
            Freshness::Due => keeper.0.used_while_due.notify_one(),
            Freshness::Fresh => {}
        }
        keeper.0.note_use(now);
        Some(lease.clone())
    }
}

/// Makes room in a full group: what is over goes first, then the lease that ends soonest.
pub(super) fn evict_one<K: Clone + Eq + Hash, V, E>(slots: &mut HashMap<K, Slot<V, E>>, now: Instant) {
    let before = slots.len();
    slots.retain(|_, slot| slot.is_worth_keeping(now));
    if slots.len() < before {
        return;
    }
    let ends = |slot: &Slot<V, E>| match slot {
        Slot::Fetching(_) => None,
        Slot::Held { lease, .. } => Some(lease.expires()),
        Slot::Refused { until, .. } => Some(*until),
    };
    let victim = slots.iter().filter_map(|(key, slot)| Some((ends(slot)?, key))).min_by_key(|(end, _)| *end);
    if let Some(victim) = victim.map(|(_, key)| key.clone()) {
        slots.remove(&victim);
    }
}

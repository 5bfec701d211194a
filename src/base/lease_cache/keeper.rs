//! Between those who use a lease and the task that renews it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::lease::Lease;

/// What callers leave for the task that looks after a lease.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) born: Instant,
    /// Milliseconds from `born` to the latest use.
    used: AtomicU64,
    pub(super) used_while_due: Notify,
    /// Somebody needs a longer life than the lease has left.
    pub(super) hurry: Notify,
    /// Counts attempts to renew, whatever came of them.
    pub(super) attempts: watch::Sender<u64>,
    pub(super) gone: Notify,
}

impl Keeper {
    /// Its birth counts as a use: somebody waited for it.
    pub(super) fn new(born: Instant) -> Self {
        Self {
            born,
            used: AtomicU64::new(0),
            used_while_due: Notify::new(),
            hurry: Notify::new(),
            attempts: watch::Sender::new(0),
            gone: Notify::new(),
        }
    }

    pub(super) fn note_use(&self, now: Instant) {
        let since = now.saturating_duration_since(self.born).as_millis();
        self.used.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn last_use(&self) -> Instant {
        self.born + Duration::from_millis(self.used.load(Ordering::Relaxed))
    }

    /// Whether a lease that came at `came` is used: at all since then, and not only in the first half of a long life. A
    /// token of twelve hours that nobody has had for six belongs to a login that there is no more, or to a job that is done.
    pub(super) fn is_in_use<V>(&self, lease: &Lease<V>, came: Instant, now: Instant) -> bool {
        let idle = now.saturating_duration_since(self.last_use());
        self.is_warm(lease, now) || (self.last_use() > came && idle < (lease.lifetime() / 2).max(SHORT_LIFE))
    }

    /// Whether a lease was used so lately that it may well be used again.
    pub(super) fn is_warm<V>(&self, lease: &Lease<V>, now: Instant) -> bool {
        now.saturating_duration_since(self.last_use()) < WARM.min(lease.lifetime().mul_f64(1.25))
    }
}

/// The slot's end of a keeper: when the slot goes, its keeper goes.
#[derive(Debug)]
pub(super) struct Kept(pub(super) Arc<Keeper>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.gone.notify_one();
    }
}

/// A life up to this is not divided into halves.
const SHORT_LIFE: Duration = Duration::from_secs(10 * 60);
/// Longer than a minute: clients that poll do so by the minute.
const WARM: Duration = Duration::from_secs(90);

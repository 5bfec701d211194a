//! The state that callers share with the task that renews a lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::lease::Lease;

/// When a lease was last used, and the signals to the task that renews it.
#[derive(Debug)]
pub(super) struct RenewalControl {
    pub(super) created: Instant,
    /// Milliseconds from `created` to the latest use.
    last_use: AtomicU64,
    /// A caller used the lease when its renewal was due.
    pub(super) used_while_due: Notify,
    /// A caller needs a successor now: the lease expires too early for it, or may be invalid.
    pub(super) renew_now: Notify,
    /// Counts renewal attempts, successful or not.
    pub(super) attempts: watch::Sender<u64>,
    /// The slot was removed, so the task has to end.
    pub(super) stopped: Notify,
}

impl RenewalControl {
    /// Creation counts as a use, because a caller waited for the lease.
    pub(super) fn new(created: Instant) -> Self {
        Self {
            created,
            last_use: AtomicU64::new(0),
            used_while_due: Notify::new(),
            renew_now: Notify::new(),
            attempts: watch::Sender::new(0),
            stopped: Notify::new(),
        }
    }

    pub(super) fn record_use(&self, now: Instant) {
        let since = now.saturating_duration_since(self.created).as_millis();
        self.last_use.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn last_use(&self) -> Instant {
        self.created + Duration::from_millis(self.last_use.load(Ordering::Relaxed))
    }

    /// Whether a lease fetched at `fetched_at` is worth renewing: it was used just now, or since it was fetched and
    /// within half of its lifetime before `now`. A token of twelve hours that was last used six hours ago belongs to a
    /// removed credential or a finished job.
    pub(super) fn is_in_use<V>(&self, lease: &Lease<V>, fetched_at: Instant, now: Instant) -> bool {
        let idle = now.saturating_duration_since(self.last_use());
        self.is_recently_used(lease, now)
            || (self.last_use() > fetched_at && idle < (lease.lifetime() / 2).max(MIN_USE_WINDOW))
    }

    /// Whether the last use, of this lease or its predecessor, is so recent that another one is likely.
    pub(super) fn is_recently_used<V>(&self, lease: &Lease<V>, now: Instant) -> bool {
        now.saturating_duration_since(self.last_use()) < RECENT_USE.min(lease.lifetime().mul_f64(1.25))
    }
}

/// Owned by the slot of a lease: dropping it ends the renewal task.
#[derive(Debug)]
pub(super) struct RenewalGuard(pub(super) Arc<RenewalControl>);

impl Drop for RenewalGuard {
    fn drop(&mut self) {
        self.0.stopped.notify_one();
    }
}

/// A use within this time is enough for a renewal, even if it is more than half of a short lifetime.
const MIN_USE_WINDOW: Duration = Duration::from_secs(10 * 60);
/// Longer than a minute, because polling clients often come once a minute.
const RECENT_USE: Duration = Duration::from_secs(90);

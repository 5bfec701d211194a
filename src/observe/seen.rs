//! What requests leave behind for people to look at: the last ones, and how each registry has been doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::health::Health;
use super::image::Images;
use super::recent::{Finished, Recent};
use crate::base::clock::WallClock;

#[derive(Debug)]
pub struct Seen {
    pub health: Health,
    pub recent: Recent,
    pub images: Arc<Images>,
    clock: WallClock,
    in_flight: AtomicU64,
    requests: AtomicU64,
    failed: AtomicU64,
    sent: AtomicU64,
    bytes: AtomicU64,
}

/// Every request of the process, whichever registry it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub in_flight: u64,
    pub requests: u64,
    pub failed: u64,
    pub sent: u64,
    pub bytes: u64,
}

impl Seen {
    pub fn new(clock: WallClock) -> Self {
        let zero = || AtomicU64::new(0);
        let (health, recent, images) = (Health::default(), Recent::default(), Images::new(clock));
        Self {
            health,
            recent,
            images,
            clock,
            in_flight: zero(),
            requests: zero(),
            failed: zero(),
            sent: zero(),
            bytes: zero(),
        }
    }

    /// Wall time since 1970.
    pub fn now(&self) -> Duration {
        self.clock.unix_time()
    }

    pub(super) fn begun(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// The request's number within the process.
    pub(super) fn number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn ended(&self, request: Finished) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.failed.fetch_add(request.failure.is_some().into(), Ordering::Relaxed);
        self.sent.fetch_add(request.sent, Ordering::Relaxed);
        self.bytes.fetch_add(request.bytes, Ordering::Relaxed);
        self.health.ended(&request);
        self.recent.add(request);
    }

    pub fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            in_flight: read(&self.in_flight),
            requests: read(&self.requests),
            failed: read(&self.failed),
            sent: read(&self.sent),
            bytes: read(&self.bytes),
        }
    }
}

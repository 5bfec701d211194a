//! What the status page shows about requests: totals, recent requests, images and the health of each registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::health::Health;
use super::image::Images;
use super::recent_requests::{FinishedRequest, RecentRequests};
use crate::base::clock::WallClock;

/// All requests that the process has handled since its start.
#[derive(Debug)]
pub struct Activity {
    pub health: Health,
    pub recent: RecentRequests,
    pub images: Arc<Images>,
    clock: WallClock,
    in_flight: AtomicU64,
    requests: AtomicU64,
    failed: AtomicU64,
    sent: AtomicU64,
    bytes: AtomicU64,
}

/// Counters over all registries since the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub in_flight: u64,
    /// Finished requests.
    pub requests: u64,
    pub failed: u64,
    /// Bytes of request bodies sent to registries.
    pub sent: u64,
    /// Bytes of response bodies sent to clients.
    pub bytes: u64,
}

impl Activity {
    pub fn new(clock: WallClock) -> Self {
        let zero = || AtomicU64::new(0);
        let (health, recent, images) = (Health::default(), RecentRequests::default(), Images::new(clock));
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

    pub(super) fn request_started(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a finished request and returns its number, starting with 1.
    pub(super) fn next_number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn request_ended(&self, request: FinishedRequest) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.failed.fetch_add(request.failure.is_some().into(), Ordering::Relaxed);
        self.sent.fetch_add(request.sent, Ordering::Relaxed);
        self.bytes.fetch_add(request.bytes, Ordering::Relaxed);
        self.health.request_ended(&request);
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

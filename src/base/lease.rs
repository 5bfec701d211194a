//! A value that expires: a token or a temporary credential.

use std::time::Duration;

use tokio::time::Instant;

/// A value with a lifetime.
///
/// The lifetime counts from *before* the request for the value was sent, so a slow response can only make the lease
/// expire early.
#[derive(Debug)]
pub struct Lease<V> {
    pub value: V,
    obtained: Instant,
    lifetime: Duration,
}

/// What may be done with a lease now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Use it.
    Fresh,
    /// Use it, and fetch its successor.
    Due,
    /// Do not use it.
    Expired,
}

impl<V> Lease<V> {
    /// Creates a lease. Lifetimes above a day are cut to a day.
    pub fn new(value: V, obtained: Instant, lifetime: Duration) -> Self {
        Self { value, obtained, lifetime: lifetime.min(MAX_LIFETIME) }
    }

    pub fn freshness(&self, now: Instant) -> Freshness {
        if now >= self.expires() {
            Freshness::Expired
        } else if now >= self.due() {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    /// When the successor should be fetched: at three quarters of the lifetime. A fixed time before expiry would make
    /// short-lived tokens due at once.
    pub fn due(&self) -> Instant {
        self.obtained + self.lifetime.mul_f64(0.75)
    }

    /// When the value must not be used any more: the end of the lifetime minus a margin of a tenth, at most 30 s, for
    /// the time a request takes.
    pub fn expires(&self) -> Instant {
        self.obtained + self.lifetime - self.lifetime.mul_f64(0.1).min(MAX_MARGIN)
    }

    /// Whether the lease is valid for `needed` from now on, or so new that a renewal would hardly be valid for longer.
    pub fn outlasts(&self, needed: Duration, now: Instant) -> bool {
        self.is_new(now) || now + needed < self.expires()
    }

    /// Whether the lease is in the first tenth of its lifetime. If a server rejects the value that early, it has
    /// another reason than expiry.
    pub fn is_new(&self, now: Instant) -> bool {
        now < self.obtained + self.lifetime.mul_f64(0.1)
    }

    /// Time since the value was requested.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.obtained)
    }

    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_MARGIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn freshness_is_proportional_to_the_lifetime() {
        for lifetime in [1, 60, 300, 3600, 43200] {
            let whole = Duration::from_secs(lifetime);
            let start = Instant::now();
            let lease = Lease::new((), start, whole);
            assert_eq!(lease.freshness(start), Freshness::Fresh, "{lifetime} s: at the start");
            assert_eq!(lease.freshness(start + whole.mul_f64(0.74)), Freshness::Fresh, "{lifetime} s: at 74 %");
            assert_eq!(lease.freshness(start + whole.mul_f64(0.76)), Freshness::Due, "{lifetime} s: at 76 %");
            assert_eq!(lease.freshness(start + whole), Freshness::Expired, "{lifetime} s: at the end");
            assert!(lease.due() < lease.expires() && lease.expires() < start + whole, "{lifetime} s: order");
        }
    }
}

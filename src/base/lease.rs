//! A value with a lifetime: a token, or a credential that somebody lent us.

use std::time::Duration;

use tokio::time::Instant;

/// A value that may be used for a while.
///
/// The lifetime is counted from *before* the request that fetched the value left, so that a slow or skewed
/// issuer only makes us early.
#[derive(Debug)]
pub struct Lease<V> {
    pub value: V,
    obtained: Instant,
    lifetime: Duration,
}

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
    /// Lifetimes above a day are cut to a day: nothing is gained by believing in longer ones.
    pub fn new(value: V, obtained: Instant, lifetime: Duration) -> Self {
        Self { value, obtained, lifetime: lifetime.min(LONGEST) }
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

    /// When the successor should be fetched. In proportion to the lifetime: a fixed window would make
    /// short-lived tokens due at birth.
    pub fn due(&self) -> Instant {
        self.obtained + self.lifetime.mul_f64(0.75)
    }

    /// When it must not be used any more: the end of its life, less a margin for the way to the registry.
    pub fn expires(&self) -> Instant {
        self.obtained + self.lifetime - self.lifetime.mul_f64(0.1).min(LARGEST_MARGIN)
    }

    /// Whether it will outlast something that takes `needed` from now, or is as new as leases of its kind get.
    pub fn outlasts(&self, needed: Duration, now: Instant) -> bool {
        self.is_new(now) || now + needed < self.expires()
    }

    /// Whether it is in the first tenth of its life, too early to be over for any reason but an error about its end.
    pub fn is_new(&self, now: Instant) -> bool {
        now < self.obtained + self.lifetime.mul_f64(0.1)
    }

    /// How long ago it was asked for.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.obtained)
    }

    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const LARGEST_MARGIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn freshness_is_proportional_to_the_lifetime() {
        for lifetime in [1, 60, 300, 3600, 43200] {
            let whole = Duration::from_secs(lifetime);
            let born = Instant::now();
            let lease = Lease::new((), born, whole);
            assert_eq!(lease.freshness(born), Freshness::Fresh, "{lifetime} s: born");
            assert_eq!(lease.freshness(born + whole.mul_f64(0.74)), Freshness::Fresh, "{lifetime} s: at 74 %");
            assert_eq!(lease.freshness(born + whole.mul_f64(0.76)), Freshness::Due, "{lifetime} s: at 76 %");
            assert_eq!(lease.freshness(born + whole), Freshness::Expired, "{lifetime} s: at its end");
            assert!(lease.due() < lease.expires() && lease.expires() < born + whole, "{lifetime} s: order");
        }
    }
}

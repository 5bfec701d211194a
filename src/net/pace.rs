//! How fast bodies go to one upstream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes a second of the recent uploads.
#[derive(Debug, Default)]
pub struct Pace(AtomicU64);

impl Pace {
    /// An upload of `bytes` took `elapsed`. Small ones tell of latency only, and are not counted.
    pub fn note(&self, bytes: u64, elapsed: Duration) {
        if bytes < TELLING {
            return;
        }
        let rate = bytes * 1000 / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let blend = |old: u64| Some(if old == 0 { rate.max(1) } else { (old / 4 * 3 + rate / 4).max(1) });
        // It never fails: the closure always has an answer.
        _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, blend);
    }

    /// How long a body will take: by the recent rate, or a slow line's as long as nothing is known. A body of unknown
    /// length is taken for one of half a minute.
    pub fn expect(&self, bytes: Option<u64>) -> Duration {
        let Some(bytes) = bytes else { return UNKNOWN };
        let rate = match self.0.load(Ordering::Relaxed) {
            0 => GUESS,
            rate => rate,
        };
        Duration::from_secs(bytes / rate)
    }
}

const TELLING: u64 = 256 * 1024;
const GUESS: u64 = 1024 * 1024;
const UNKNOWN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recent_rate_decides() {
        let pace = Pace::default();
        let seconds = |pace: &Pace| pace.expect(Some(100 * 1024 * 1024)).as_secs();
        assert_eq!((seconds(&pace), pace.expect(None)), (100, UNKNOWN));
        pace.note(1000, Duration::from_secs(9));
        assert_eq!(seconds(&pace), 100, "a small body tells nothing");
        pace.note(10 * 1024 * 1024, Duration::from_secs(1));
        assert_eq!(seconds(&pace), 10);
        for _ in 0..40 {
            pace.note(1024 * 1024, Duration::from_secs(2));
        }
        assert!((190..=210).contains(&seconds(&pace)), "{}", seconds(&pace));
        pace.note(u64::MAX / 1000, Duration::ZERO);
    }
}

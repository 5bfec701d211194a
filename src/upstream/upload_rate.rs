//! The recent upload rate to one registry, from which follows how long the token for the next upload has to last.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A moving average of the upload rate in bytes per second; 0 before the first measurement.
#[derive(Debug, Default)]
pub struct UploadRate(AtomicU64);

impl UploadRate {
    /// Records that an upload of `bytes` took `elapsed`. Uploads below 256 KiB are ignored: they measure latency, not
    /// the rate.
    pub fn record(&self, bytes: u64, elapsed: Duration) {
        if bytes < MIN_MEASURED {
            return;
        }
        let rate = bytes * 1000 / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let blend = |old: u64| Some(if old == 0 { rate.max(1) } else { (old / 4 * 3 + rate / 4).max(1) });
        // `fetch_update` never fails, because the closure never returns `None`.
        _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, blend);
    }

    /// The expected duration of an upload of `bytes`: at the recent rate, at 1 MiB/s before the first measurement, and
    /// 30 s where the length is unknown.
    pub fn expected_duration(&self, bytes: Option<u64>) -> Duration {
        let Some(bytes) = bytes else { return UNKNOWN_LENGTH };
        let rate = match self.0.load(Ordering::Relaxed) {
            0 => INITIAL_RATE,
            rate => rate,
        };
        Duration::from_secs(bytes / rate)
    }
}

const MIN_MEASURED: u64 = 256 * 1024;
const INITIAL_RATE: u64 = 1024 * 1024;
const UNKNOWN_LENGTH: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_duration_follows_the_recent_rate() {
        let upload_rate = UploadRate::default();
        let seconds = || upload_rate.expected_duration(Some(100 * 1024 * 1024)).as_secs();
        assert_eq!((seconds(), upload_rate.expected_duration(None)), (100, UNKNOWN_LENGTH));
        upload_rate.record(1000, Duration::from_secs(9));
        assert_eq!(seconds(), 100, "a small upload does not change the rate");
        upload_rate.record(10 * 1024 * 1024, Duration::from_secs(1));
        assert_eq!(seconds(), 10);
        for _ in 0..40 {
            upload_rate.record(1024 * 1024, Duration::from_secs(2));
        }
        assert!((190..=210).contains(&seconds()), "{}", seconds());
        upload_rate.record(u64::MAX / 1000, Duration::ZERO);
    }
}

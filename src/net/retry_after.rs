//! How long to wait after a 429 or 503: the server's `Retry-After`, or a backoff.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use crate::base::clock::WallClock;

/// Whether a status asks the sender of the request to retry later.
pub fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// Parses `Retry-After`, seconds or a date (RFC 9110, section 10.2.3). A date in the past is zero; the result is at
/// most a year. `None` if the header is missing or invalid.
pub fn parse(headers: &HeaderMap, clock: WallClock) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(YEAR));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(clock.unix_time()).min(YEAR))
}

/// The wait before a retry without `Retry-After`, after `failures` failed attempts: doubles each time up to a minute,
/// with jitter, so that clients do not retry in step.
pub fn backoff(failures: u32) -> Duration {
    let least = MIN_BACKOFF.saturating_mul(1 << failures.min(6)).min(MAX_BACKOFF / 2);
    least + least.mul_f64(fastrand::f64())
}

/// The wait before retrying after a response with these headers: its `Retry-After`, else [`backoff`].
pub fn delay(headers: &HeaderMap, clock: WallClock, failures: u32) -> Duration {
    parse(headers, clock).unwrap_or_else(|| backoff(failures))
}

const MIN_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// Longer waits could overflow when they are added up.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn seconds_and_dates_are_parsed() {
        // Tue, 30 Jan 2024 03:33:37 GMT.
        let clock = WallClock::tokio(Duration::from_secs(1_706_585_617));
        let parsed = |value| parse(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]), clock);
        for (value, seconds) in [
            ("0", 0),
            (" 17 ", 17),
            ("Tue, 30 Jan 2024 03:33:47 GMT", 10),
            ("Tue, 30 Jan 2024 03:33:27 GMT", 0),
            ("Tuesday, 30-Jan-24 03:34:37 GMT", 60),
            ("18446744073709551615", 31_536_000),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 31_536_000),
        ] {
            assert_eq!(parsed(value), Some(Duration::from_secs(seconds)), "{value}");
        }
        for value in ["-1", "soon", ""] {
            assert_eq!(parsed(value), None, "{value}");
        }
        assert_eq!(parse(&HeaderMap::new(), clock), None);
    }

    #[test]
    fn backoff_doubles_from_one_second_to_a_minute_with_jitter() {
        for (failures, least, most) in [(0, 1, 2), (1, 2, 4), (2, 4, 8), (5, 30, 60), (40, 30, 60)] {
            let wait = backoff(failures);
            assert!(
                (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&wait),
                "after {failures} failures: {wait:?}"
            );
        }
    }
}

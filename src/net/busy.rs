//! Servers that ask for patience: 429 and 503, and how long to leave them alone.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use crate::base::clock::WallClock;

/// Whether an answer says no more than "not now".
pub fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// What `Retry-After` asks for, in seconds or as a date (RFC 9110, section 10.2.3); a date that is over asks for nothing,
/// and nobody asks for more than a year.
pub fn told(headers: &HeaderMap, clock: WallClock) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(YEAR));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(clock.unix_time()).min(YEAR))
}

/// How long to wait where nothing is told, after `tries` that were in vain: twice as long each time, and never the same
/// for two clients, who would come back together.
pub fn backoff(tries: u32) -> Duration {
    let least = SHORTEST.saturating_mul(1 << tries.min(6)).min(LONGEST / 2);
    least + least.mul_f64(fastrand::f64())
}

/// What to wait after an answer, and then to ask again: as told, or by [`backoff`].
pub fn pause(headers: &HeaderMap, clock: WallClock, tries: u32) -> Duration {
    told(headers, clock).unwrap_or_else(|| backoff(tries))
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// So that times that were told can be added up.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn seconds_and_dates_are_read() {
        // Tue, 30 Jan 2024 03:33:37 GMT.
        let clock = WallClock::tokio(Duration::from_secs(1_706_585_617));
        for (value, seconds) in [
            ("0", Some(0)),
            (" 17 ", Some(17)),
            ("Tue, 30 Jan 2024 03:33:47 GMT", Some(10)),
            ("Tue, 30 Jan 2024 03:33:27 GMT", Some(0)),
            ("Tuesday, 30-Jan-24 03:34:37 GMT", Some(60)),
            ("18446744073709551615", Some(31_536_000)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(31_536_000)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(told(&headers, clock), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(told(&HeaderMap::new(), clock), None);
    }

    #[test]
    fn what_is_not_told_is_a_second_and_more_each_time() {
        for (tries, least, most) in [(0, 1, 2), (1, 2, 4), (2, 4, 8), (5, 30, 60), (40, 30, 60)] {
            let wait = backoff(tries);
            assert!((Duration::from_secs(least)..=Duration::from_secs(most)).contains(&wait), "{tries}: {wait:?}");
        }
    }
}

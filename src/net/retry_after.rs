//! How long to wait after a 429 or 503: the server's `Retry-After`, or a backoff.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::base::clock::WallClock;
use crate::oci::error::ErrorEntry;

/// Whether a status asks the sender of the request to retry later.
pub fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// Parses `Retry-After`: seconds or a date (RFC 9110, section 10.2.3), or the duration with units that GHCR writes
/// (`985.86µs`). A date in the past is zero; the result is at most a year. `None` if the header is missing or invalid.
pub fn parse(headers: &HeaderMap, clock: WallClock) -> Option<Duration> {
    let value = str::from_utf8(headers.get(RETRY_AFTER)?.as_bytes()).ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(YEAR));
    }
    if let Some(duration) = duration_with_units(value) {
        return Some(duration);
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(clock.unix_time()).min(YEAR))
}

/// The value of a `Retry-After` with units, which clients do not understand. `None` for seconds and dates.
pub fn with_units(value: &HeaderValue) -> Option<Duration> {
    duration_with_units(str::from_utf8(value.as_bytes()).ok()?.trim())
}

/// The wait that an error message states: `retry-after: 1.16676ms, allowed: 44000/minute` (GHCR, 2025).
pub fn in_message(message: &str) -> Option<Duration> {
    let message = message.to_lowercase();
    let value = message.split_once("retry-after:")?.1.trim_start();
    duration_with_units(value.split([',', ';', ' ', '"']).next()?)
}

/// The wait that the body of an error response states in its first message.
pub fn in_body(body: &[u8]) -> Option<Duration> {
    let first = ErrorEntry::parse_all(body).into_iter().next().map(|entry| entry.message);
    in_message(&first.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()))
}

/// Whether a stated wait means a limit that is over in a moment: a bucket that refills continuously, such as the one
/// that all anonymous clients of GHCR at one address share. No other limit states a part of a second.
pub fn is_momentary(stated: Duration) -> bool {
    !stated.is_zero() && stated < MOMENT
}

/// The wait before a retry without `Retry-After`, after `failures` failed attempts: doubles each time up to a minute,
/// with jitter, so that clients do not retry in step.
pub fn backoff(failures: u32) -> Duration {
    let least = MIN_BACKOFF.saturating_mul(1 << failures.min(6)).min(MAX_BACKOFF / 2);
    least + least.mul_f64(fastrand::f64())
}

/// The wait before the next attempt, after `failures` failed ones: the `stated` wait, else [`backoff`]. A wait of a part
/// of a second is lengthened to some tenths of a second, with jitter, because other clients wait for the same moment.
pub fn wait(stated: Option<Duration>, failures: u32) -> Duration {
    match stated {
        Some(stated) if is_momentary(stated) => {
            let least = MIN_MOMENTARY_WAIT.saturating_mul(1 << failures.min(4));
            stated + least + least.mul_f64(fastrand::f64())
        }
        Some(stated) => stated,
        None => backoff(failures),
    }
}

/// `wait` in whole seconds, rounded up: the form of `Retry-After` that every client understands.
pub fn rounded_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A duration as Go prints it: `1.16676ms`, `1m0s`. At most a year. `None` for any other text.
fn duration_with_units(mut text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|&digits| digits > 0)?;
        let number: f64 = text[..digits].parse().ok()?;
        let unit = &text[digits..];
        let unit = &unit[..unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len())];
        seconds += number
            * match unit {
                "ns" => 1e-9,
                // The micro sign and the Greek letter.
                "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        text = &text[digits + unit.len()..];
    }
    (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).map_or(YEAR, |duration| duration.min(YEAR)))
}

/// A shorter stated wait is momentary.
const MOMENT: Duration = Duration::from_secs(1);
const MIN_MOMENTARY_WAIT: Duration = Duration::from_millis(200);
const MIN_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// Longer waits could overflow when they are added up.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
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
            ("1m30s", 90),
            ("99999999999h", 31_536_000),
        ] {
            assert_eq!(parsed(value), Some(Duration::from_secs(seconds)), "{value}");
        }
        for value in ["-1", "soon", "", "1.5", "ms", "1x", "1.2.3ms", "-1ms", "0s"] {
            assert_eq!(parsed(value), None, "{value}");
        }
        assert_eq!(parse(&HeaderMap::new(), clock), None);
    }

    #[tokio::test(start_paused = true)]
    async fn parts_of_a_second_are_parsed_in_header_and_message() {
        let clock = WallClock::tokio(Duration::ZERO);
        for (text, nanoseconds) in [
            ("985.86µs", 985_860),
            ("331.163\u{3bc}s", 331_163),
            ("218.093us", 218_093),
            ("1.16676ms", 1_166_760),
            ("17ns", 17),
            ("250ms", 250_000_000),
        ] {
            let wait = Duration::from_nanos(nanoseconds);
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_bytes(text.as_bytes()).unwrap())]);
            let message = format!("retry-after: {text}, allowed: 44000/minute");
            let json = serde_json::json!({ "errors": [{ "code": "TOOMANYREQUESTS", "message": message }] }).to_string();
            for found in [
                parse(&headers, clock),
                in_message(&message),
                in_message(&format!("toomanyrequests: Retry-After:{text}")),
                in_body(json.as_bytes()),
                in_body(message.as_bytes()),
            ] {
                // Binary fractions may be off by a nanosecond.
                assert!(
                    found.unwrap().abs_diff(wait) <= Duration::from_nanos(1) && is_momentary(wait),
                    "{text} {found:?}"
                );
            }
        }
        for message in ["", "retry-after: 5", "retry-after: soon", "please wait 5ms", "retry-after:"] {
            assert_eq!(in_message(message), None, "{message}");
        }
        for wait in [Duration::ZERO, Duration::from_secs(1)] {
            assert!(!is_momentary(wait), "{wait:?}");
        }
    }

    #[test]
    fn momentary_wait_becomes_some_tenths_of_a_second_with_jitter() {
        let stated = Some(Duration::from_micros(986));
        for (failures, least, most) in [(0, 200, 401), (1, 400, 801), (40, 3200, 6401)] {
            let waited = wait(stated, failures);
            assert!((Duration::from_millis(least)..=Duration::from_millis(most)).contains(&waited), "{waited:?}");
        }
        assert_eq!(wait(Some(Duration::from_secs(7)), 3), Duration::from_secs(7));
        assert!(wait(None, 0) >= MIN_BACKOFF);
        assert_eq!([0, 1, 986_000, 2_000_000_000].map(|ns| rounded_seconds(Duration::from_nanos(ns))), [0, 1, 1, 2]);
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

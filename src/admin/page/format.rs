//! Formats times, durations, sizes and digests for display.

use std::time::{Duration, UNIX_EPOCH};

use bytesize::ByteSize;
use maud::{Markup, html};

/// A `<time>` element that shows `text`, with the exact date as its `datetime` and tooltip. `at` is a Unix timestamp in
/// seconds.
pub(super) fn time(at: f64, text: &str) -> Markup {
    let date = date(at);
    html! { time datetime=(date) title=(date) { (text) } }
}

/// The time of day of a Unix timestamp: `14:03:21 UTC`.
pub(super) fn clock(at: f64) -> String {
    date(at).get(11..19).map(|clock| format!("{clock} UTC")).unwrap_or_default()
}

/// The time from `at` to `now`: `12 s ago`.
pub(super) fn ago(now: f64, at: f64) -> String {
    match now - at {
        age if age < 1.0 => "just now".to_owned(),
        age => format!("{} ago", span(age)),
    }
}

/// A length of time in one or two units: `45 s`, `12 min`, `5 h 20 min`, `3 d 4 h`.
pub(super) fn span(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86400);
    let two_units = |large, unit, small, small_unit| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {small_unit}"),
    };
    match whole {
        0..120 => format!("{whole} s"),
        120..7200 => format!("{minutes} min"),
        7200..172_800 => two_units(hours, "h", minutes % 60, "min"),
        _ => two_units(days, "d", hours % 24, "h"),
    }
}

/// The duration of a request: `0.4 ms`, `12 ms`, `1.3 s`, `75 s`, `12 min`.
pub(super) fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1e3 => format!("{ms:.0} ms"),
        ms if ms < 1e4 => format!("{:.1} s", ms / 1e3),
        ms => span(ms / 1e3),
    }
}

pub(super) fn size(bytes: u64) -> String {
    ByteSize(bytes).display().si().to_string()
}

/// A digest cut after its first 12 digits; any other reference unchanged.
pub(super) fn shortened(reference: &str) -> String {
    match reference.split_once(':') {
        Some((algorithm, digits)) => match digits.get(..12).filter(|_| digits.len() > 12) {
            Some(first) => format!("{algorithm}:{first}…"),
            None => reference.to_owned(),
        },
        None => reference.to_owned(),
    }
}

fn date(at: f64) -> String {
    let since = Duration::try_from_secs_f64(at).unwrap_or_default();
    let time = UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH);
    // RFC 3339 ends with the year 9999.
    if since.as_secs() < 253_402_300_800 { humantime::format_rfc3339_seconds(time).to_string() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_have_units() {
        for (seconds, text) in [
            (0.4, "0 s"),
            (119.0, "119 s"),
            (130.0, "2 min"),
            (7200.0, "2 h"),
            (19500.0, "5 h 25 min"),
            (180_000.0, "2 d 2 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
        for (ms, text) in [(0.04, "0.0 ms"), (9.96, "10.0 ms"), (12.4, "12 ms"), (1250.0, "1.2 s"), (75_000.0, "75 s")]
        {
            assert_eq!(duration(ms), text);
        }
        assert_eq!((ago(100.0, 99.5), ago(100.0, 88.0)), ("just now".to_owned(), "12 s ago".to_owned()));
        assert_eq!(clock(1_790_000_000.0), "14:13:20 UTC");
        assert_eq!((size(0), size(1_234_567)), ("0 B".to_owned(), "1.2 MB".to_owned()));
        assert_eq!(shortened("sha256:0123456789abcdef"), "sha256:0123456789ab…");
        assert_eq!((shortened("3.12"), shortened("a:b")), ("3.12".to_owned(), "a:b".to_owned()));
    }
}

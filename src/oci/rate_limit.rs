//! Rate limits in response headers: `ratelimit-limit: 100;w=21600`.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;

/// The rate limit that a response states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    pub window: Option<Duration>,
    /// What the registry counts by (`docker-ratelimit-source`): a client address or an account id in the form of a
    /// UUID. Other values are dropped, because the header could contain anything, even a secret.
    pub source: Option<Box<str>>,
}

impl RateLimit {
    /// Parses response headers; `None` when they state neither a limit nor a remainder.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name)?.to_str().ok();
        let limit = text("ratelimit-limit").and_then(quota);
        let remaining = text("ratelimit-remaining").and_then(quota);
        let window = limit.or(remaining)?.1;
        let source = text("docker-ratelimit-source").map(str::trim).filter(|source| is_address_or_id(source));
        Some(Self {
            limit: limit.map(|(count, _)| count),
            remaining: remaining.map(|(count, _)| count),
            window,
            source: source.map(Into::into),
        })
    }
}

/// Parses count and window of `100;w=21600`; of a list separated by commas, the first element.
fn quota(text: &str) -> Option<(u64, Option<Duration>)> {
    let mut parts = text.split(',').next()?.split(';').map(str::trim);
    let count = parts.next()?.parse().ok()?;
    let window = parts.find_map(|part| part.strip_prefix("w=")?.parse().ok()).map(Duration::from_secs);
    Some((count, window))
}

fn is_address_or_id(text: &str) -> bool {
    let is_id = || {
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    text.parse::<IpAddr>().is_ok() || is_id()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Option<RateLimit> {
        RateLimit::from_headers(
            &headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
        )
    }

    #[test]
    fn counts_window_and_source_are_parsed() {
        let whole = read(&[
            ("ratelimit-limit", "100;w=21600"),
            ("ratelimit-remaining", "76;w=21600"),
            ("docker-ratelimit-source", "192.0.2.7"),
        ]);
        let six_hours = Some(Duration::from_secs(21600));
        let source = Some("192.0.2.7".into());
        assert_eq!(whole, Some(RateLimit { limit: Some(100), remaining: Some(76), window: six_hours, source }));
        let plain = read(&[("ratelimit-remaining", "3")]).unwrap();
        assert_eq!((plain.limit, plain.remaining, plain.window), (None, Some(3), None));
        let several = read(&[("ratelimit-limit", " 10 ; w=60 , 100;w=3600")]).unwrap();
        assert_eq!((several.limit, several.window), (Some(10), Some(Duration::from_secs(60))));
    }

    #[test]
    fn invalid_numbers_and_sources_are_dropped() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("ratelimit-limit", "-1"), ("ratelimit-remaining", "many")]), None);
        assert_eq!(read(&[("docker-ratelimit-source", "192.0.2.7")]), None);
        for (source, is_accepted) in [
            ("0fd7d6d2-4d6a-4f5b-9bd8-0b7a3a4d0a6e", true),
            ("2001:db8::1", true),
            ("<script>", false),
            ("dckr_pat_secret", false),
            ("", false),
        ] {
            let read = read(&[("ratelimit-limit", "1"), ("docker-ratelimit-source", source)]).unwrap();
            assert_eq!(read.source.is_some(), is_accepted, "{source}");
        }
    }
}

//! Byte ranges of downloads: `Range` of the request, `Content-Range` of the response (RFC 9110, section 14).

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, HeaderValue};

/// What a request's `Range` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedRange {
    /// From `first` to `last`, or to the end.
    From { first: u64, last: Option<u64> },
    /// The last bytes, this many.
    Suffix(u64),
    /// Several ranges. The response may have each as a part, or cover several by one.
    Several,
}

/// The one range that a 206 has, as its `Content-Range` says: `bytes first-last/size`, where the size may be `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub first: u64,
    pub last: u64,
    pub size: Option<u64>,
}

impl RequestedRange {
    /// The range in these request headers. `None` without one, and for one that servers ignore because it is invalid.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(RANGE)?.to_str().ok()?;
        let (unit, ranges) = text.split_once('=')?;
        // Range units are case-insensitive (RFC 9110, section 14.1).
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        if ranges.contains(',') {
            return Some(Self::Several);
        }
        match ranges.trim().split_once('-')? {
            ("", length) => length.parse().ok().map(Self::Suffix),
            (first, "") => first.parse().ok().map(|first| Self::From { first, last: None }),
            (first, last) => {
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                (first <= last).then_some(Self::From { first, last: Some(last) })
            }
        }
    }

    /// Whether a 206 with these headers has what was asked for: the range, as far as the content reaches, in as many
    /// bytes as it says.
    pub fn is_answered_by(self, headers: &HeaderMap) -> bool {
        if self == Self::Several {
            return true;
        }
        let Some(part) = Part::of(headers) else { return false };
        let end = part.size.and_then(|size| size.checked_sub(1));
        let is_range = match self {
            Self::From { first, last } => {
                let reaches = match (last, end) {
                    (Some(last), Some(end)) => part.last == last.min(end),
                    // A server need not know the size, and may send less than it was asked for.
                    (Some(last), None) => part.last <= last,
                    (None, Some(end)) => part.last == end,
                    (None, None) => true,
                };
                part.first == first && reaches
            }
            Self::Suffix(length) => {
                let first = part.size.map(|size| size.saturating_sub(length));
                first.is_none_or(|first| part.first == first) && end.is_none_or(|end| part.last == end)
            }
            Self::Several => true,
        };
        is_range && part.has_its_length(headers)
    }
}

impl Part {
    /// The part in these response headers. `None` if there is none, or if the body has several
    /// (`multipart/byteranges`).
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if media_type.to_ascii_lowercase().starts_with(b"multipart/byteranges") {
            return None;
        }
        let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes")?.trim_start();
        let (part, size) = range.split_once('/')?;
        let (first, last) = part.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let size: Option<u64> = size.parse().ok();
        (first <= last && size.is_none_or(|size| last < size)).then_some(Self { first, last, size })
    }

    /// Whether `Content-Length`, if there is one, is the length of the part.
    pub fn has_its_length(self, headers: &HeaderMap) -> bool {
        let length = headers.get(CONTENT_LENGTH).map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
        length.is_none_or(|length| length == self.length())
    }

    /// In bytes. `None` if that is more than any number.
    pub fn length(self) -> Option<u64> {
        (self.last - self.first).checked_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &str) -> Option<RequestedRange> {
        RequestedRange::of(&HeaderMap::from_iter([(RANGE, HeaderValue::from_str(range).unwrap())]))
    }

    fn partial(range: &str, length: Option<&str>) -> HeaderMap {
        let length = length.map(|length| (CONTENT_LENGTH, HeaderValue::from_str(length).unwrap()));
        let range = (CONTENT_RANGE, HeaderValue::from_str(range).unwrap());
        std::iter::once(range).chain(length).collect()
    }

    #[test]
    fn ranges_of_requests_are_parsed() {
        use RequestedRange::{From, Several, Suffix};
        for (text, expected) in [
            ("bytes=0-9", Some(From { first: 0, last: Some(9) })),
            ("bytes = 5-", Some(From { first: 5, last: None })),
            ("bytes=-500", Some(Suffix(500))),
            ("Bytes=0-9", Some(From { first: 0, last: Some(9) })),
            ("bytes=0-9,20-29", Some(Several)),
            ("bytes=9-0", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("items=0-9", None),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
    }

    #[test]
    fn only_the_range_that_was_asked_for_answers_a_request() {
        for (range, answer, length, expected) in [
            ("bytes=5-14", "bytes 5-14/100", Some("10"), true),
            ("bytes=5-14", "bytes 5-14/*", None, true),
            ("bytes=5-14", "bytes 5-9/10", Some("5"), true),
            ("bytes=5-14", "bytes 5-9/*", Some("5"), true),
            ("bytes=5-14", "bytes 5-9/100", Some("5"), false),
            ("bytes=5-14", "bytes 0-9/100", Some("10"), false),
            ("bytes=5-14", "bytes 5-14/100", Some("10000"), false),
            ("bytes=5-14", "bytes 5-14/100", Some("many"), false),
            ("bytes=5-14", "bytes 5-20/100", Some("16"), false),
            ("bytes=5-14", "bytes 14-5/100", None, false),
            ("bytes=5-14", "bytes 5-14/12", None, false),
            ("bytes=5-", "bytes 5-99/100", Some("95"), true),
            ("bytes=5-", "bytes 5-50/100", Some("46"), false),
            ("bytes=-10", "bytes 90-99/100", Some("10"), true),
            ("bytes=-10", "bytes 0-9/100", Some("10"), false),
            ("bytes=-200", "bytes 0-99/100", Some("100"), true),
            ("bytes=0-0,5-5", "bytes 0-5/100", Some("6"), true),
            ("bytes=0-18446744073709551615", "bytes 0-18446744073709551615/*", None, true),
        ] {
            let answered = asked(range).unwrap().is_answered_by(&partial(answer, length));
            assert_eq!(answered, expected, "{range} by {answer} with {length:?} bytes");
        }
        assert!(!asked("bytes=0-9").unwrap().is_answered_by(&HeaderMap::new()), "a part needs a Content-Range");
    }
}

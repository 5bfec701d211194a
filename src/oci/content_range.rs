//! Byte ranges of chunked uploads: `Content-Range` of a chunk, `Range` of a response.

use std::fmt;

/// Offsets of the first and the last byte of a chunk. Formatted as `0-1023`, without the unit and the total of RFC 9110
/// (distribution specification, "Pushing a blob in chunks").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    pub first: u64,
    pub last: u64,
}

/// A `Content-Range` that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Content-Range header is not of the form <first>-<last>")]
pub struct InvalidContentRange;

impl ContentRange {
    /// The range of `length` bytes that starts at `first`; `None` when `length` is 0.
    pub fn of(first: u64, length: u64) -> Option<Self> {
        Some(Self { first, last: first.checked_add(length.checked_sub(1)?)? })
    }

    /// Parses `0-1023`, and also the form of RFC 9110 that some clients send: `bytes 0-1023/4096`.
    pub fn parse(text: &str) -> Result<Self, InvalidContentRange> {
        let (first, last) = bounds(text).ok_or(InvalidContentRange)?;
        if first <= last { Ok(Self { first, last }) } else { Err(InvalidContentRange) }
    }

    pub fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// The number of bytes that the registry has received, from the `Range` header of its response: `0-1023`, at Quay
/// `bytes=0-1023`. `None` when the header is not a range that starts at 0, such as `0--1`, which old Gitea sends for an
/// empty upload. `0-0` is ambiguous: some registries send it for an empty upload, too.
pub fn uploaded_bytes(range: &str) -> Option<u64> {
    match bounds(range)? {
        (0, last) => last.checked_add(1),
        _ => None,
    }
}

fn bounds(text: &str) -> Option<(u64, u64)> {
    let text = text.trim();
    let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches(['=', ' ']));
    let text = text.split_once('/').map_or(text, |(range, _total)| range);
    let (first, last) = text.split_once('-')?;
    // `u64::from_str` would accept a leading plus sign.
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    Some((number(first)?, number(last)?)).filter(|(_, last)| *last < LARGEST_BLOB)
}

/// Registries count in signed 64-bit numbers, and no blob is this large.
const LARGEST_BLOB: u64 = 1 << 62;

/// The `Range` header of a response about an upload of which regpass has `received` bytes.
pub fn upload_progress(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_parsed_in_both_forms_and_formatted_in_one() {
        for (text, parsed) in [
            ("0-1023", Ok((0, 1023))),
            ("bytes 1024-2047/4096", Ok((1024, 2047))),
            ("bytes 5-5/*", Ok((5, 5))),
            ("bytes=0-9", Ok((0, 9))),
            ("9-0", Err(InvalidContentRange)),
            ("-5", Err(InvalidContentRange)),
            ("5-", Err(InvalidContentRange)),
            ("+0-5", Err(InvalidContentRange)),
            ("0--1", Err(InvalidContentRange)),
            ("", Err(InvalidContentRange)),
            ("99999999999999999999-1", Err(InvalidContentRange)),
            ("0-18446744073709551615", Err(InvalidContentRange)),
            ("18446744073709551615-18446744073709551615", Err(InvalidContentRange)),
        ] {
            assert_eq!(ContentRange::parse(text).map(|range| (range.first, range.last)), parsed, "{text}");
        }
        assert_eq!(ContentRange::parse("bytes 3-7/9").unwrap().to_string(), "3-7");
        assert_eq!(ContentRange::of(3, 5), Some(ContentRange { first: 3, last: 7 }));
        assert_eq!((ContentRange::of(3, 0), ContentRange::of(u64::MAX, 2)), (None, None));
        assert_eq!(ContentRange { first: 3, last: 7 }.length(), 5);
    }

    #[test]
    fn range_of_a_response_gives_the_uploaded_bytes() {
        for (text, bytes) in [
            ("0-1023", Some(1024)),
            ("bytes=0-9", Some(10)),
            ("0--1", None),
            ("5-9", None),
            ("x", None),
            ("0-18446744073709551614", None),
        ] {
            assert_eq!(uploaded_bytes(text), bytes, "{text}");
        }
        assert_eq!((upload_progress(0), upload_progress(1024)), ("0-0".to_owned(), "0-1023".to_owned()));
    }
}

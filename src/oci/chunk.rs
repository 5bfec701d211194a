//! Which bytes of a blob a chunk is, and how far an upload has come.

use std::fmt;

/// The first and the last byte of a chunk, as `Content-Range` names them: `0-1023`, without a unit and without a total,
/// unlike RFC 9110 (distribution specification, "Pushing a blob in chunks").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    pub first: u64,
    pub last: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its Content-Range is not of the form <first>-<last>")]
pub struct BadRange;

impl ContentRange {
    /// `length` bytes from `first` on; `None` when there are none.
    pub fn of(first: u64, length: u64) -> Option<Self> {
        Some(Self { first, last: first.checked_add(length.checked_sub(1)?)? })
    }

    /// Takes the general form too, `bytes 0-1023/4096`, which some clients send.
    pub fn parse(text: &str) -> Result<Self, BadRange> {
        let (first, last) = bounds(text).ok_or(BadRange)?;
        if first <= last { Ok(Self { first, last }) } else { Err(BadRange) }
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

/// How many bytes an upload has, by the `Range` of an answer: `0-1023`, at Quay `bytes=0-1023`. An empty one is told as
/// `0-0` by some, which is also said of a single byte, and as `0--1` by old Gitea.
pub fn received(range: &str) -> Option<u64> {
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
    // `u64` would take a leading plus sign.
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    Some((number(first)?, number(last)?)).filter(|(_, last)| *last < LARGEST_BLOB)
}

/// Registries count in signed numbers, and nobody has a blob of this size.
const LARGEST_BLOB: u64 = 1 << 62;

/// `Range` of an answer about an upload that has `received` bytes.
pub fn progress(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_told_in_more_than_one_form() {
        for (text, parsed) in [
            ("0-1023", Ok((0, 1023))),
            ("bytes 1024-2047/4096", Ok((1024, 2047))),
            ("bytes 5-5/*", Ok((5, 5))),
            ("bytes=0-9", Ok((0, 9))),
            ("9-0", Err(BadRange)),
            ("-5", Err(BadRange)),
            ("5-", Err(BadRange)),
            ("+0-5", Err(BadRange)),
            ("0--1", Err(BadRange)),
            ("", Err(BadRange)),
            ("99999999999999999999-1", Err(BadRange)),
            ("0-18446744073709551615", Err(BadRange)),
            ("18446744073709551615-18446744073709551615", Err(BadRange)),
        ] {
            assert_eq!(ContentRange::parse(text).map(|range| (range.first, range.last)), parsed, "{text}");
        }
        assert_eq!(ContentRange::parse("bytes 3-7/9").unwrap().to_string(), "3-7");
        assert_eq!(ContentRange::of(3, 5), Some(ContentRange { first: 3, last: 7 }));
        assert_eq!((ContentRange::of(3, 0), ContentRange::of(u64::MAX, 2)), (None, None));
        assert_eq!(ContentRange { first: 3, last: 7 }.length(), 5);
    }

    #[test]
    fn registries_tell_how_far_they_are() {
        for (text, bytes) in [
            ("0-1023", Some(1024)),
            ("bytes=0-9", Some(10)),
            ("0--1", None),
            ("5-9", None),
            ("x", None),
            ("0-18446744073709551614", None),
        ] {
            assert_eq!(received(text), bytes, "{text}");
        }
        assert_eq!((progress(0), progress(1024)), ("0-0".to_owned(), "0-1023".to_owned()));
    }
}

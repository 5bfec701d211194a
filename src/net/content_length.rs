//! `Content-Length` of a response, in the one form that its recipients understand.

use http::HeaderMap;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// A `Content-Length` that is not a number, or is more than one.
#[derive(Debug, thiserror::Error)]
#[error("its Content-Length is not one number")]
pub(super) struct InvalidLength;

/// Makes `Content-Length` a single number. Equal values that are repeated, in one line or in several, count as one (RFC
/// 9110, section 8.6). Beside a `Transfer-Encoding` it does not count at all and is removed (RFC 9112, section 6.3).
pub(super) fn normalize(headers: &mut HeaderMap) -> Result<(), InvalidLength> {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
        return Ok(());
    }
    let mut length: Option<u64> = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for number in value.to_str().map_err(|_| InvalidLength)?.split(',') {
            let number = parse(number.trim()).ok_or(InvalidLength)?;
            if length.is_some_and(|length| length != number) {
                return Err(InvalidLength);
            }
            length = Some(number);
        }
    }
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(())
}

/// A number of digits only: `u64::from_str` would accept a plus sign.
fn parse(number: &str) -> Option<u64> {
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lengths_are_one_and_others_are_invalid() {
        for (lines, length) in [
            (&[][..], Some(None)),
            (&["100"], Some(Some("100"))),
            (&["100, 100"], Some(Some("100"))),
            (&["100", "100,100 ", "0100"], Some(Some("100"))),
            (&["100, 200"], None),
            (&["100", "200"], None),
            (&[""], None),
            (&["100,"], None),
            (&["+100"], None),
            (&["-1"], None),
            (&["x"], None),
            (&["99999999999999999999"], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_LENGTH, line.parse().unwrap());
            }
            let is_valid = normalize(&mut headers).is_ok();
            let value = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
            assert_eq!(is_valid.then_some(value), length, "{lines:?}");
            assert!(!is_valid || headers.get_all(CONTENT_LENGTH).iter().count() <= 1, "{lines:?}");
        }
    }

    #[test]
    fn length_beside_a_transfer_encoding_is_removed() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, "5, 6".parse().unwrap());
        headers.insert(TRANSFER_ENCODING, "chunked".parse().unwrap());
        assert!(normalize(&mut headers).is_ok() && !headers.contains_key(CONTENT_LENGTH));
    }
}

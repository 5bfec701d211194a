//! Decodes response bodies that have a `Content-Encoding`, although regpass requests `identity`.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};

/// Decodes a gzip or deflate body to at most `limit` bytes. A body without an encoding is returned as it is, whatever
/// its size.
pub fn decode(bytes: Bytes, encoding: Option<&HeaderValue>, limit: usize) -> Result<Bytes, &'static str> {
    let encoding = encoding.and_then(|value| value.to_str().ok()).unwrap_or_default().trim().to_ascii_lowercase();
    let mut decoded = Vec::new();
    let cap = limit as u64 + 1;
    let outcome = match &*encoding {
        "" | "identity" => return Ok(bytes),
        "gzip" | "x-gzip" => GzDecoder::new(&*bytes).take(cap).read_to_end(&mut decoded),
        "deflate" => ZlibDecoder::new(&*bytes).take(cap).read_to_end(&mut decoded),
        _ => return Err("its Content-Encoding is not supported"),
    };
    match outcome {
        Ok(length) if length > limit => Err("it is too large after decompression"),
        Ok(_) => Ok(decoded.into()),
        Err(_) => Err("it cannot be decoded by its Content-Encoding"),
    }
}

/// Whether a response has a `Content-Encoding` other than `identity`.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn encoded_bodies_are_decoded_up_to_the_limit() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&[b'x'; 1000]).unwrap();
        let gzip = Bytes::from(gzip.finish().unwrap());
        let value = HeaderValue::from_static;
        assert_eq!(decode(gzip.clone(), Some(&value("gzip")), 1000).unwrap().len(), 1000);
        assert!(decode(gzip.clone(), Some(&value("gzip")), 999).is_err());
        assert!(decode(gzip.slice(..20), Some(&value("gzip")), 1000).is_err());
        assert!(decode(gzip.clone(), Some(&value("br")), 1000).is_err());
        assert_eq!(decode(gzip.clone(), Some(&value("identity")), 10).unwrap(), gzip);
    }
}

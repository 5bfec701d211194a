//! Verifies a blob by its digest while it streams to the client.

use std::io::Write as _;

use flate2::write::GzDecoder;
use http::header::CONTENT_ENCODING;
use http::{StatusCode, response};

use super::classify::Call;
use crate::oci::blob_hash::BlobHash;
use crate::oci::byte_range::Part;
use crate::oci::operation::Operation;

/// The hash of a blob's bytes so far.
#[derive(Debug)]
pub struct BlobCheck {
    raw: BlobHash,
    /// The hash of the decoded bytes, for a body with `Content-Encoding: gzip`: some servers store a blob with this
    /// header, others encode it on the way, so the digest may be that of either form.
    decoded: Option<GzDecoder<BlobHash>>,
}

impl BlobCheck {
    /// The check for a response. `None` if it is not a whole blob, if regpass does not know the algorithm of its digest, or
    /// if the configuration has `verify = false`.
    pub fn of(call: &Call, head: &response::Parts) -> Option<Self> {
        let Operation::ReadBlob(_, digest) = &call.operation else { return None };
        let is_whole = match head.status {
            StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => true,
            StatusCode::PARTIAL_CONTENT => {
                Part::of(&head.headers).is_some_and(|part| part.first == 0 && part.size == part.length())
            }
            _ => false,
        };
        if !is_whole || !call.routed.policy.verify {
            return None;
        }
        let raw = BlobHash::of(digest)?;
        let is_gzip = head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        let decoded = if is_gzip { BlobHash::of(digest).map(GzDecoder::new) } else { None };
        Some(Self { raw, decoded })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.raw.update(bytes);
        if let Some(decoder) = &mut self.decoded
            && decoder.write_all(bytes).is_err()
        {
            self.decoded = None;
        }
    }

    /// Whether the bytes so far are those of the digest.
    pub fn matches(self) -> bool {
        let decoded = self.decoded.and_then(|decoder| decoder.finish().ok());
        self.raw.matches() || decoded.is_some_and(BlobHash::matches)
    }
}

//! How a client's body is sent to the registry: unchanged, split into chunks, or buffered until the PUT.

use http_body::Body as _;
use hyper::body::Incoming;

use super::Upload;
use super::encrypted_session::UploadSession;
use crate::oci::content_range::ContentRange;
use crate::profile::Chunks;

/// How a client's body is sent to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As the client sends it.
    Streamed,
    /// In chunks of `size` bytes with `Content-Range`, the first of which begins at byte `first`.
    InChunks { first: u64, size: u64 },
    /// With the PUT at the end. Until then regpass buffers it.
    Buffered,
    /// As the only chunk of the blob, or as `Buffered` if the registry rejects that chunk.
    SingleChunk,
}

impl Upload<'_> {
    /// How to send a body with this `Content-Range` so that the registry accepts it.
    pub(super) fn delivery(&self, session: &UploadSession, range: Option<ContentRange>, body: &Incoming) -> Delivery {
        match (self.call.routed.upstream.profile().uploads.chunks, range) {
            (Chunks::Single, None) if session.buffer.is_none() => Delivery::SingleChunk,
            (Chunks::Single, _) => Delivery::Buffered,
            (Chunks::RangedUpTo(size), Some(range)) if range.length() > size => {
                Delivery::InChunks { first: range.first, size }
            }
            (Chunks::LengthRequired(size), _) if body.size_hint().exact().is_none() => {
                Delivery::InChunks { first: range.map_or(session.received, |range| range.first), size }
            }
            _ => Delivery::Streamed,
        }
    }
}

//! What a request carries.

use bytes::Bytes;

use super::spool::Spool;

/// The body of a request to an upstream.
#[derive(Clone, Debug)]
pub enum Payload {
    /// At hand, whole: it can be sent as often as wanted.
    Held(Bytes),
    /// On its way from the client: it can be sent again as far as it is remembered.
    Streamed(Spool),
}

impl Payload {
    pub fn none() -> Self {
        Self::Held(Bytes::new())
    }

    /// How long it is, as far as that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Held(bytes) => Some(bytes.len() as u64),
            Self::Streamed(spool) => spool.length(),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Held(bytes) if bytes.is_empty())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Held(bytes)
    }
}

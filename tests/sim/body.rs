//! Response bodies: content in pieces, complete or broken off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

use super::content::Slice;
use super::wire::WireState;

/// How a response body ends. `after` is the number of body bytes that are sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Whole,
    /// The connection closes without the rest and without a final chunk.
    Close {
        after: u64,
    },
    /// The connection is reset.
    Reset {
        after: u64,
    },
    /// Nothing more is sent, and the connection stays open.
    Hang {
        after: u64,
    },
}

impl Ending {
    fn limit(self) -> Option<u64> {
        match self {
            Self::Whole => None,
            Self::Close { after } | Self::Reset { after } | Self::Hang { after } => Some(after),
        }
    }
}

/// What a response body shares with its connection.
pub(super) struct BodyContext {
    pub(super) wire: Arc<WireState>,
    /// Notified when hyper drops the body: after its last piece, or when the connection fails.
    pub(super) body_sent: Arc<Notify>,
}

pub(super) struct SimBody {
    rest: Slice,
    chunked: bool,
    sent: u64,
    context: BodyContext,
    ending: Ending,
    /// The number of flushes when the last piece before a broken end was handed to hyper.
    flushes_before_end: Option<u64>,
}

const PIECE: u64 = 64 * 1024;

impl SimBody {
    pub(super) fn new(rest: Slice, chunked: bool, context: BodyContext, ending: Ending) -> Self {
        Self { rest, chunked, sent: 0, context, ending, flushes_before_end: None }
    }

    /// Breaks the body off once everything sent before has left: hyper drops its buffer when a body fails.
    fn poll_broken_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let wire = &self.context.wire;
        let before = *self.flushes_before_end.get_or_insert_with(|| wire.flushes());
        ready!(wire.poll_flushed(before, cx));
        match self.ending {
            Ending::Hang { .. } => return Poll::Pending,
            Ending::Reset { .. } => wire.reset_on_close(),
            Ending::Close { .. } | Ending::Whole => {}
        }
        Poll::Ready(Some(Err(io::Error::other("the simulated server breaks off here"))))
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let allowed = this.ending.limit().map_or(PIECE, |limit| PIECE.min(limit - this.sent.min(limit)));
        if allowed == 0 {
            return this.poll_broken_end(cx);
        }
        Poll::Ready(this.rest.take_piece(allowed).map(|piece| {
            this.sent += piece.len() as u64;
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.ending == Ending::Whole
    }

    fn size_hint(&self) -> SizeHint {
        if self.chunked { SizeHint::default() } else { SizeHint::with_exact(self.rest.len()) }
    }
}

impl Drop for SimBody {
    fn drop(&mut self) {
        self.context.body_sent.notify_one();
    }
}

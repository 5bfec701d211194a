//! Response bodies: content in pieces, ending well or badly.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

use super::content::Slice;
use super::wire::Gauge;

/// How a body ends; the bad ways count bytes from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Whole,
    /// The connection closes, without the rest and without a final chunk.
    Close {
        after: u64,
    },
    /// The same as a TCP reset.
    Reset {
        after: u64,
    },
    /// Nothing more comes, and the connection stays open.
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

/// What a body knows about its connection.
pub(super) struct Pieces {
    pub(super) gauge: Arc<Gauge>,
    /// Told when hyper has taken the last piece.
    pub(super) done: Arc<Notify>,
}

pub(super) struct SimBody {
    rest: Slice,
    chunked: bool,
    sent: u64,
    pieces: Pieces,
    ending: Ending,
    /// The flushes seen when the last piece before a bad ending left.
    flushed_before_end: Option<u64>,
}

const PIECE: u64 = 64 * 1024;

impl SimBody {
    pub(super) fn new(rest: Slice, chunked: bool, pieces: Pieces, ending: Ending) -> Self {
        Self { rest, chunked, sent: 0, pieces, ending, flushed_before_end: None }
    }

    /// hyper drops what it has buffered when a body fails, so what was promised must leave first.
    fn poll_bad_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let gauge = &self.pieces.gauge;
        let before = *self.flushed_before_end.get_or_insert_with(|| gauge.flushes());
        ready!(gauge.poll_flushed(before, cx));
        match self.ending {
            Ending::Hang { .. } => return Poll::Pending,
            Ending::Reset { .. } => gauge.reset_on_close(),
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
            return this.poll_bad_end(cx);
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
        self.pieces.done.notify_one();
    }
}

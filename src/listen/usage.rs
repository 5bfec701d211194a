//! What one client connection is doing: whether it serves a request, and when bytes last moved on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::peer::PeerKey;
use crate::net::body::StreamBody;
use crate::net::cause::BoxError;

/// The usage of one connection, shared by the connection and the table that it is in.
#[derive(Debug)]
pub(super) struct Usage {
    id: u64,
    pub(super) peer: Option<PeerKey>,
    opened: Instant,
    /// Milliseconds from `opened` to the last byte in either direction.
    last_progress: AtomicU64,
    requests: AtomicU32,
    /// Bytes received since the last request began: of the next one's head.
    head: AtomicUsize,
    heads: Arc<UnfinishedHeads>,
    closed: Notify,
}

impl Usage {
    pub(super) fn new(peer: Option<PeerKey>, now: Instant, heads: Arc<UnfinishedHeads>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            peer,
            opened: now,
            last_progress: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            head: AtomicUsize::new(0),
            heads,
            closed: Notify::new(),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether the connection serves no request.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
    }

    /// The time since the last byte.
    pub(super) fn quiet(&self, now: Instant) -> Duration {
        let last = self.opened + Duration::from_millis(self.last_progress.load(Ordering::Relaxed));
        now.saturating_duration_since(last)
    }

    pub(super) fn record_progress(&self) {
        let elapsed = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_progress.store(elapsed, Ordering::Relaxed);
    }

    /// Counts a request until the returned value is dropped.
    pub(super) fn begin_request(self: Arc<Self>) -> RequestUnderWay {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.end_head();
        RequestUnderWay(self)
    }

    /// Counts bytes that arrived between two requests. False if the head has to end.
    fn add_to_head(&self, added: usize) -> bool {
        let length = self.head.fetch_add(added, Ordering::Relaxed) + added;
        self.heads.add(added, length)
    }

    fn end_head(&self) {
        self.heads.remove(self.head.swap(0, Ordering::Relaxed));
    }

    /// Makes the connection end.
    pub(super) fn close(&self) {
        self.closed.notify_one();
    }

    /// Waits until [`close`](Self::close) is called.
    pub(super) async fn closed(&self) {
        self.closed.notified().await;
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        self.end_head();
    }
}

/// The bytes of the request heads that have not arrived whole, over all connections of a listener.
#[derive(Debug, Default)]
pub(super) struct UnfinishedHeads(AtomicUsize);

impl UnfinishedHeads {
    /// Counts `added` bytes of a head of `length` bytes so far. False if it has to end: it is long, and so many are
    /// unfinished that their memory matters.
    fn add(&self, added: usize, length: usize) -> bool {
        let total = self.0.fetch_add(added, Ordering::Relaxed) + added;
        length <= USUAL_HEAD || total <= MAX_UNFINISHED_HEADS
    }

    fn remove(&self, length: usize) {
        self.0.fetch_sub(length, Ordering::Relaxed);
    }
}

/// A request that the connection serves, until it is dropped.
#[derive(Debug)]
pub(super) struct RequestUnderWay(Arc<Usage>);

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A response body that keeps its request under way until it is sent or dropped.
pub(super) struct ServedBody {
    pub(super) body: StreamBody,
    pub(super) _request: RequestUnderWay,
}

impl Body for ServedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A client's byte stream that records its progress in a [`Usage`].
pub(super) struct TrackedStream<S> {
    pub(super) stream: S,
    pub(super) usage: Arc<Usage>,
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        if read > 0 {
            this.usage.record_progress();
            if this.usage.is_idle() && !this.usage.add_to_head(read) {
                let why = "too many clients send long request heads slowly";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::OutOfMemory, why)));
            }
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.after_write(outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.after_write(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S> TrackedStream<S> {
    fn after_write(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(outcome, Poll::Ready(Ok(1..))) {
            self.usage.record_progress();
        }
        outcome
    }
}

/// Bytes. Heads of clients are smaller; a longer one is accepted as long as there is room.
const USUAL_HEAD: usize = 8 * 1024;
/// Bytes, over all connections of a listener.
const MAX_UNFINISHED_HEADS: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_heads_end_once_many_are_unfinished() {
        let heads = Arc::<UnfinishedHeads>::default();
        let usage = |heads: &Arc<UnfinishedHeads>| Arc::new(Usage::new(None, Instant::now(), heads.clone()));
        let (first, second, third) = (usage(&heads), usage(&heads), usage(&heads));
        assert!(first.add_to_head(100_000), "a single long head is accepted");
        assert!(second.add_to_head(USUAL_HEAD) && third.add_to_head(MAX_UNFINISHED_HEADS - 100_000 - USUAL_HEAD));
        assert!(!second.add_to_head(1), "it is long now, and there is no more room");
        drop(third);
        assert!(second.add_to_head(1));
        let _request = first.begin_request();
        assert_eq!(heads.0.load(Ordering::Relaxed), USUAL_HEAD + 2);
    }
}

//! Counts the bytes that a connection receives, to find out whether a request got any part of an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use http::Extensions;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether a request was assigned a connection that had answered other requests before, and that has received nothing
/// since, not even an interim response.
pub(super) fn is_unanswered_on_reused(connection: &CaptureConnection) -> bool {
    let mut extras = Extensions::new();
    if let Some(connected) = &*connection.connection_metadata() {
        connected.get_extras(&mut extras);
    }
    let received = extras.get::<Received>();
    received
        .is_some_and(|received| received.before_request.is_some_and(|before| before > 0 && before == received.total()))
}

/// The number of bytes that a connection has received. hyper-util clones the connection's own count when it assigns the
/// connection to a request, before it sends the request. The clone remembers how many bytes there were then.
#[derive(Debug, Default)]
struct Received {
    total: Arc<AtomicU64>,
    /// `None` for the connection's own count.
    before_request: Option<u64>,
}

impl Received {
    fn total(&self) -> u64 {
        self.total.load(Ordering::Acquire)
    }
}

impl Clone for Received {
    fn clone(&self) -> Self {
        let before_request = self.before_request.unwrap_or_else(|| self.total());
        Self { total: self.total.clone(), before_request: Some(before_request) }
    }
}

/// A stream that counts what it receives. It is above TLS, because an alert of TLS is no answer.
#[derive(Debug)]
pub(super) struct Counted<S> {
    stream: TokioIo<S>,
    received: Arc<AtomicU64>,
}

impl<S> Counted<S> {
    /// Wraps a stream of hyper's kind, and makes it one again.
    pub(super) fn wrap(stream: S) -> TokioIo<Self> {
        TokioIo::new(Self { stream: TokioIo::new(stream), received: Arc::default() })
    }
}

impl<S: Connection> Connection for Counted<S> {
    fn connected(&self) -> Connected {
        self.stream.inner().connected().extra(Received { total: self.received.clone(), before_request: None })
    }
}

impl<S> AsyncRead for Counted<S>
where
    TokioIo<S>: AsyncRead + Unpin,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        this.received.fetch_add((buf.filled().len() - before) as u64, Ordering::AcqRel);
        Poll::Ready(Ok(()))
    }
}

impl<S> AsyncWrite for Counted<S>
where
    TokioIo<S>: AsyncWrite + Unpin,
{
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

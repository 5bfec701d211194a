//! The server's end of a connection, with what hyper does not tell: when everything written has left, whether a body
//! waited for its 100, and whether the close shall look like a reset.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

pub(super) enum Socket {
    Tcp(TcpStream),
    Memory(DuplexStream),
}

pub(super) struct Wire {
    /// `None` only while dropped.
    socket: Option<Socket>,
    gauge: Arc<Gauge>,
    /// How much of the blank line at a head's end has been read.
    blank: usize,
    /// Read ahead, to see whether a body waits for its 100.
    ahead: BytesMut,
}

/// As long as Go's server waits before it closes on a client that is still sending, so that the answer is not lost to
/// a reset (net/http, `rstAvoidanceDelay`).
const RESET_AVOIDANCE: Duration = Duration::from_millis(500);
const CONTINUE: &[u8] = b"HTTP/1.1 100";

/// What the response body of a connection knows about its wire.
#[derive(Default)]
pub(super) struct Gauge {
    flushes: AtomicU64,
    waiting: AtomicWaker,
    reset: AtomicBool,
    linger: AtomicBool,
    /// Something beyond the head of the request has been read.
    body_begun: AtomicBool,
    /// 0: no 100 was sent; 1: before the body came; 2: after.
    continued: AtomicU8,
}

impl Gauge {
    pub(super) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    /// Ready once all bytes written after the flush number `before` have left. Polled by the task that flushes, so no
    /// flush falls between the look and the registration.
    pub(super) fn poll_flushed(&self, before: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.flushes() > before {
            return Poll::Ready(());
        }
        self.waiting.register(cx.waker());
        Poll::Pending
    }

    /// Makes the coming close a TCP reset. An in-memory peer sees the end of the stream instead.
    pub(super) fn reset_on_close(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// The peer may still be sending when the connection closes, and shall read the answer all the same.
    pub(super) fn linger_on_close(&self) {
        self.linger.store(true, Ordering::Release);
    }

    /// Whether a 100 was sent for the request under way, and if so, whether its body had waited for it.
    pub(super) fn continued(&self) -> Option<bool> {
        match self.continued.load(Ordering::Acquire) {
            0 => None,
            1 => Some(true),
            _ => Some(false),
        }
    }

    /// The next request begins.
    pub(super) fn answered(&self) {
        self.body_begun.store(false, Ordering::Release);
        self.continued.store(0, Ordering::Release);
    }
}

impl Wire {
    pub(super) fn new(socket: Socket) -> (Self, Arc<Gauge>) {
        let gauge = Arc::<Gauge>::default();
        (Self { socket: Some(socket), gauge: Arc::clone(&gauge), blank: 0, ahead: BytesMut::new() }, gauge)
    }

    fn socket(&mut self) -> &mut Socket {
        self.socket.as_mut().expect("it goes with the wire")
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.socket() {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Memory(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }

    /// Finds the end of the head, behind which the body begins.
    fn watch(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.blank == 4 {
                self.gauge.body_begun.store(true, Ordering::Release);
                return;
            }
            let expected = b"\r\n\r\n"[self.blank];
            self.blank = if *byte == expected { self.blank + 1 } else { usize::from(*byte == b'\r') };
        }
    }

    /// The first write of the answer's own head ends what is known of the request.
    fn before_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        if bytes.starts_with(CONTINUE) {
            self.look_ahead(cx);
        } else if bytes.starts_with(b"HTTP/1.1 ") {
            self.blank = 0;
        }
    }

    /// A 100 goes out: has the body waited for it?
    fn look_ahead(&mut self, cx: &mut Context<'_>) {
        let mut bytes = [0; 1024];
        let mut buffer = ReadBuf::new(&mut bytes);
        if self.poll_socket(cx, &mut buffer).is_ready() {
            self.ahead.extend_from_slice(buffer.filled());
        }
        let early = self.gauge.body_begun.load(Ordering::Acquire) || !self.ahead.is_empty();
        self.gauge.continued.store(if early { 2 } else { 1 }, Ordering::Release);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let Some(Socket::Tcp(stream)) = self.socket.take() else { return };
        if self.gauge.reset.load(Ordering::Acquire) {
            stream.set_zero_linger().ok();
        } else if self.gauge.linger.load(Ordering::Acquire)
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                tokio::time::sleep(RESET_AVOIDANCE).await;
                drop(stream);
            });
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let len = this.ahead.len().min(buffer.remaining());
            buffer.put_slice(&this.ahead.split_to(len));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(this.poll_socket(cx, buffer))?;
        this.watch(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.before_write(cx, bytes);
        match this.socket() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.before_write(cx, slices.iter().find(|slice| !slice.is_empty()).map_or(&[], |slice| slice));
        match this.socket() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Socket::Memory(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        matches!(&self.socket, Some(Socket::Tcp(_)))
    }

    /// hyper flushes only after its own buffer is empty, so a finished flush means that everything has left.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = match this.socket() {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Memory(stream) => Pin::new(stream).poll_flush(cx),
        };
        if flushed.is_ready() {
            this.gauge.flushes.fetch_add(1, Ordering::AcqRel);
            this.gauge.waiting.wake();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().socket() {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

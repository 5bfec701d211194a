//! The server's end of a connection, with what hyper does not offer: whether everything written has left, whether a
//! request body waited for its 100, and a close by TCP reset.

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
    state: Arc<WireState>,
    /// How many bytes of the `\r\n\r\n` at the end of a head have been read.
    head_end_matched: usize,
    /// Bytes read before hyper asked for them, to see whether a body waits for its 100.
    read_ahead: BytesMut,
}

/// How long Go's server waits before it closes a connection on which the client may still be sending, so that a reset
/// does not destroy the reply (net/http, `rstAvoidanceDelay`).
const RESET_AVOIDANCE: Duration = Duration::from_millis(500);
const CONTINUE: &[u8] = b"HTTP/1.1 100";

/// The state of a connection, shared with the bodies that pass over it.
#[derive(Default)]
pub(super) struct WireState {
    flushes: AtomicU64,
    /// The response body that waits for a flush.
    flush_waker: AtomicWaker,
    reset: AtomicBool,
    linger: AtomicBool,
    /// Whether bytes beyond the head of the current request have been read.
    body_begun: AtomicBool,
    /// 0: no 100 was sent; 1: it was sent before the first byte of the body arrived; 2: after.
    continued: AtomicU8,
}

impl WireState {
    pub(super) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    /// Ready once more than `before` flushes have finished. The task that flushes is the one that polls, so no flush
    /// happens between the check and the registration.
    pub(super) fn poll_flushed(&self, before: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.flushes() > before {
            return Poll::Ready(());
        }
        self.flush_waker.register(cx.waker());
        Poll::Pending
    }

    /// Makes the next close a TCP reset. An in-memory peer sees the end of the stream instead.
    pub(super) fn reset_on_close(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// Delays the next close, because a client that is still sending has to be able to read the reply.
    pub(super) fn linger_on_close(&self) {
        self.linger.store(true, Ordering::Release);
    }

    /// Whether the body of the current request waited for its 100; `None` if none was sent.
    pub(super) fn continued(&self) -> Option<bool> {
        match self.continued.load(Ordering::Acquire) {
            0 => None,
            1 => Some(true),
            _ => Some(false),
        }
    }

    /// Resets the state of the current request.
    pub(super) fn next_request(&self) {
        self.body_begun.store(false, Ordering::Release);
        self.continued.store(0, Ordering::Release);
    }
}

impl Wire {
    pub(super) fn new(socket: Socket) -> (Self, Arc<WireState>) {
        let state = Arc::<WireState>::default();
        (
            Self { socket: Some(socket), state: Arc::clone(&state), head_end_matched: 0, read_ahead: BytesMut::new() },
            state,
        )
    }

    fn socket(&mut self) -> &mut Socket {
        self.socket.as_mut().expect("the socket is taken only when the wire is dropped")
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.socket() {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Memory(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }

    /// Looks for the end of the head, after which the body begins.
    fn scan_for_body(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.head_end_matched == 4 {
                self.state.body_begun.store(true, Ordering::Release);
                return;
            }
            let expected = b"\r\n\r\n"[self.head_end_matched];
            self.head_end_matched =
                if *byte == expected { self.head_end_matched + 1 } else { usize::from(*byte == b'\r') };
        }
    }

    /// Recognizes the head of a 100 and of the final reply, after which the next request's head is expected.
    fn before_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        if bytes.starts_with(CONTINUE) {
            self.check_body_waited(cx);
        } else if bytes.starts_with(b"HTTP/1.1 ") {
            self.head_end_matched = 0;
        }
    }

    /// Records, when a 100 is sent, whether the body has waited for it.
    fn check_body_waited(&mut self, cx: &mut Context<'_>) {
        let mut bytes = [0; 1024];
        let mut buffer = ReadBuf::new(&mut bytes);
        if self.poll_socket(cx, &mut buffer).is_ready() {
            self.read_ahead.extend_from_slice(buffer.filled());
        }
        let early = self.state.body_begun.load(Ordering::Acquire) || !self.read_ahead.is_empty();
        self.state.continued.store(if early { 2 } else { 1 }, Ordering::Release);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let Some(Socket::Tcp(stream)) = self.socket.take() else { return };
        if self.state.reset.load(Ordering::Acquire) {
            stream.set_zero_linger().ok();
        } else if self.state.linger.load(Ordering::Acquire)
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
        if !this.read_ahead.is_empty() {
            let len = this.read_ahead.len().min(buffer.remaining());
            buffer.put_slice(&this.read_ahead.split_to(len));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(this.poll_socket(cx, buffer))?;
        this.scan_for_body(&buffer.filled()[before..]);
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
            this.state.flushes.fetch_add(1, Ordering::AcqRel);
            this.state.flush_waker.wake();
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

//! The server's end of a connection, with the two things hyper does not tell: when everything written has left, and a
//! close that the peer sees as a reset.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

pub(super) enum Socket {
    Tcp(TcpStream),
    Memory(DuplexStream),
}

pub(super) struct Wire {
    socket: Socket,
    gauge: Arc<Gauge>,
}

/// What the response body of a connection knows about its wire.
#[derive(Default)]
pub(super) struct Gauge {
    flushes: AtomicU64,
    waiting: AtomicWaker,
    reset: AtomicBool,
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
}

impl Wire {
    pub(super) fn new(socket: Socket) -> (Self, Arc<Gauge>) {
        let gauge = Arc::<Gauge>::default();
        (Self { socket, gauge: Arc::clone(&gauge) }, gauge)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Socket::Tcp(stream) = &self.socket
            && self.gauge.reset.load(Ordering::Acquire)
        {
            stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Memory(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Socket::Memory(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        matches!(&self.socket, Socket::Tcp(_))
    }

    /// hyper flushes only after its own buffer is empty, so a finished flush means that everything has left.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = match &mut this.socket {
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
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

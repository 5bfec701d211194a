//! Byte streams of the connections that regpass accepts and opens.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connection of any transport, before TLS.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Through a proxy. The type depends on the proxy's protocol, HTTP or SOCKS.
    Tunnel {
        stream: Box<dyn ByteStream>,
        /// The address at the other end, if the request names one. Otherwise only the proxy knows it.
        target: Option<IpAddr>,
    },
    /// In memory, for tests.
    Memory(DuplexStream),
}

/// Bytes in both directions.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

impl Stream {
    /// The IP address at the other end, as far as it is known.
    pub(crate) fn peer_address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(|address| address.ip()),
            Self::Tunnel { target, .. } => *target,
            Self::Unix(_) | Self::Memory(_) => None,
        }
    }

    /// The stream of the current variant.
    fn inner(self: Pin<&mut Self>) -> Pin<&mut dyn ByteStream> {
        Pin::new(match self.get_mut() {
            Self::Tcp(stream) => stream as &mut dyn ByteStream,
            Self::Unix(stream) => stream,
            Self::Tunnel { stream, .. } => &mut **stream,
            Self::Memory(stream) => stream,
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Tunnel { stream, .. } => stream.is_write_vectored(),
            Self::Memory(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}

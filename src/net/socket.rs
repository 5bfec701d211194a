//! Listening sockets: opened here, or handed over by whoever started the process.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

/// A socket that connections come in by.
#[derive(Debug)]
pub struct Socket(TcpListener);

impl Socket {
    /// Binds an address, with the error naming it.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let bound = TcpListener::bind(address).await;
        bound.map(Self).map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
    }

    /// A socket that listens already.
    pub fn inherited(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self)
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _peer) = self.0.accept().await?;
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        Ok(stream)
    }
}

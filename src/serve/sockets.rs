//! Where listening sockets come from: this process binds them, or systemd handed them over (`sd_listen_fds(3)`).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use listenfd::ListenFd;
use tracing::{debug, warn};

use crate::net::socket::Socket;

/// The sockets handed over to this process that nobody uses yet.
#[derive(Debug, Default)]
pub(super) struct Inherited(Vec<TcpListener>);

impl Inherited {
    /// Takes what the environment names. What is no listening TCP socket is left alone.
    pub(super) fn take() -> Self {
        let mut handed = ListenFd::from_env();
        let sockets = (0..handed.len()).filter_map(|index| match handed.take_tcp_listener(index) {
            Ok(socket) => socket,
            Err(error) => {
                warn!(index, %error, "a socket that was handed over is no listening TCP socket and is not used");
                None
            }
        });
        Self(sockets.collect())
    }

    /// The socket for an address: one that was handed over for it, or a new one.
    pub(super) async fn or_bind(&mut self, address: SocketAddr) -> io::Result<Arc<Socket>> {
        let is_it = |socket: &TcpListener| socket.local_addr().is_ok_and(|local| local == address);
        let socket = match self.0.iter().position(is_it) {
            Some(at) => {
                debug!(%address, "listening on a socket that was handed over");
                Socket::inherited(self.0.swap_remove(at))
            }
            None => Socket::bind(address).await,
        };
        socket.map(Arc::new)
    }

    /// Closes what no listener wanted: clients would wait there for ever.
    pub(super) fn close_unwanted(&mut self) {
        for socket in self.0.drain(..) {
            if let Ok(address) = socket.local_addr() {
                warn!(%address, "a socket was handed over for an address that no listener of the configuration has");
            }
        }
    }
}

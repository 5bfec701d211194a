//! Opens listening sockets: binds them, reuses those of earlier listeners, or takes those that systemd passed to the
//! process (`sd_listen_fds(3)`).

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

use listenfd::ListenFd;
use tracing::{debug, warn};

use crate::config::model::Listener;
use crate::listen::{address::ListenAddress, socket::Socket};

/// Opens the sockets of a listener: its own first, then those of `retiring` whose narrower addresses it covers.
/// `retiring` are the sockets of listeners that the configuration no longer has. They are still open, so the new
/// address may conflict with them.
pub(super) async fn open<'a>(
    listener: &Listener,
    retiring: impl Iterator<Item = &'a Arc<Socket>> + Clone,
    inherited: &mut InheritedSockets,
) -> io::Result<Vec<Arc<Socket>>> {
    let address = &listener.address;
    let address_of = |socket: &Arc<Socket>| socket.address().ok();
    if let Some(known) = retiring.clone().find(|socket| address_of(socket).as_ref() == Some(address)) {
        return Ok(vec![known.clone()]);
    }
    let in_use = match inherited.take_or_bind(address, listener.mode).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => error,
        opened => return opened.map(|socket| vec![socket]),
    };
    let (narrower, others): (Vec<_>, Vec<_>) =
        retiring.cloned().partition(|socket| address_of(socket).is_some_and(|other| address.covers(&other)));
    let wider = others.iter().filter(|socket| address_of(socket).is_some_and(|other| other.covers(address)));
    let conflicting: Vec<&Socket> = narrower.iter().chain(wider).map(|socket| &**socket).collect();
    let ListenAddress::Tcp(bound) = address else { return Err(in_use) };
    if conflicting.is_empty() {
        return Err(in_use);
    }
    let own = Arc::new(Socket::bind_sharing_port(*bound, &conflicting)?);
    debug!(%address, "bound next to the sockets of earlier listeners");
    Ok([own].into_iter().chain(narrower).collect())
}

/// Sockets that systemd passed to the process and no listener has taken yet.
#[derive(Debug, Default)]
pub struct InheritedSockets(Vec<InheritedSocket>);

#[derive(Debug)]
enum InheritedSocket {
    Tcp(TcpListener),
    Unix(PathBuf, UnixListener),
}

impl InheritedSockets {
    /// Takes the sockets that the environment names, except those that are not listening TCP or Unix sockets.
    pub fn take() -> Self {
        let mut passed = ListenFd::from_env();
        let sockets = (0..passed.len()).filter_map(|index| {
            // A socket of another type stays in `passed`, so the second call can still take it.
            let tcp = passed.take_tcp_listener(index).ok().flatten().map(InheritedSocket::Tcp);
            let socket = tcp.or_else(|| InheritedSocket::unix(passed.take_unix_listener(index).ok()??));
            if socket.is_none() {
                warn!(index, "ignored a socket passed by systemd: not a listening TCP or Unix socket");
            }
            socket
        });
        Self(sockets.collect())
    }

    /// Takes the passed socket with this address, or binds a new one; `mode` is for a new Unix socket.
    pub async fn take_or_bind(&mut self, address: &ListenAddress, mode: u32) -> io::Result<Arc<Socket>> {
        let socket = match self.0.iter().position(|socket| socket.address().as_ref() == Some(address)) {
            Some(index) => {
                debug!(%address, "using a socket passed by systemd");
                match self.0.swap_remove(index) {
                    InheritedSocket::Tcp(socket) => Socket::from_inherited_tcp(socket),
                    InheritedSocket::Unix(path, socket) => Socket::from_inherited_unix(socket, path),
                }
            }
            None => Socket::bind(address, mode).await,
        };
        socket.map(Arc::new)
    }

    /// Closes the sockets that no listener took: clients that connect to them would wait forever.
    pub fn close_unused(&mut self) {
        for address in self.0.drain(..).filter_map(|socket| socket.address()) {
            warn!(%address, "closed a socket passed by systemd: no configured listener has its address");
        }
    }
}

impl InheritedSocket {
    fn unix(socket: UnixListener) -> Option<Self> {
        let path = socket.local_addr().ok()?.as_pathname()?.to_owned();
        Some(Self::Unix(path, socket))
    }

    fn address(&self) -> Option<ListenAddress> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok().map(ListenAddress::Tcp),
            Self::Unix(path, _) => Some(ListenAddress::Unix(path.clone())),
        }
    }
}

//! Where listening sockets come from: this process binds them, has them from a listener before, or systemd handed them
//! over (`sd_listen_fds(3)`).

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

use listenfd::ListenFd;
use tracing::{debug, warn};

use crate::config::model::Listener;
use crate::net::socket::{ListenAddress, Socket};

/// Opens what a listener needs: its own socket first. `leaving` are those of listeners that the configuration no longer
/// has; they go on accepting meanwhile, and may be what stands in the way.
pub(super) async fn open<'a>(
    listener: &Listener,
    leaving: impl Iterator<Item = &'a Arc<Socket>> + Clone,
    inherited: &mut Inherited,
) -> io::Result<Vec<Arc<Socket>>> {
    let address = &listener.address;
    let at = |socket: &Arc<Socket>| socket.address().ok();
    if let Some(known) = leaving.clone().find(|socket| at(socket).as_ref() == Some(address)) {
        return Ok(vec![known.clone()]);
    }
    let taken = match inherited.or_bind(address, listener.mode).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => error,
        opened => return opened.map(|socket| vec![socket]),
    };
    let (narrower, others): (Vec<_>, Vec<_>) =
        leaving.cloned().partition(|socket| at(socket).is_some_and(|at| address.covers(&at)));
    let wider = others.iter().filter(|socket| at(socket).is_some_and(|at| at.covers(address)));
    let in_the_way: Vec<&Socket> = narrower.iter().chain(wider).map(|socket| &**socket).collect();
    let ListenAddress::Tcp(bound) = address else { return Err(taken) };
    if in_the_way.is_empty() {
        return Err(taken);
    }
    let own = Arc::new(Socket::bind_beside(*bound, &in_the_way)?);
    debug!(%address, "opened beside sockets of listeners before it");
    Ok([own].into_iter().chain(narrower).collect())
}

/// The sockets handed over to this process that nobody uses yet.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Handed>);

#[derive(Debug)]
enum Handed {
    Tcp(TcpListener),
    Unix(PathBuf, UnixListener),
}

impl Inherited {
    /// Takes what the environment names. What is no listening TCP or unix socket is left alone.
    pub fn take() -> Self {
        let mut handed = ListenFd::from_env();
        let sockets = (0..handed.len()).filter_map(|index| {
            // A socket of another kind stays where it is, for the next who asks.
            let tcp = handed.take_tcp_listener(index).ok().flatten().map(Handed::Tcp);
            let socket = tcp.or_else(|| Handed::unix(handed.take_unix_listener(index).ok()??));
            if socket.is_none() {
                warn!(index, "a socket that was handed over is no listening TCP or unix socket and is not used");
            }
            socket
        });
        Self(sockets.collect())
    }

    /// The socket for an address: one that was handed over for it, or a new one, a unix socket with this mode.
    pub async fn or_bind(&mut self, address: &ListenAddress, mode: u32) -> io::Result<Arc<Socket>> {
        let socket = match self.0.iter().position(|handed| handed.address().as_ref() == Some(address)) {
            Some(at) => {
                debug!(%address, "listening on a socket that was handed over");
                match self.0.swap_remove(at) {
                    Handed::Tcp(socket) => Socket::inherited(socket),
                    Handed::Unix(path, socket) => Socket::inherited_unix(socket, path),
                }
            }
            None => Socket::bind(address, mode).await,
        };
        socket.map(Arc::new)
    }

    /// Closes what no listener wanted: clients would wait there for ever.
    pub fn close_unwanted(&mut self) {
        for address in self.0.drain(..).filter_map(|handed| handed.address()) {
            warn!(%address, "a socket was handed over for an address that no listener of the configuration has");
        }
    }
}

impl Handed {
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

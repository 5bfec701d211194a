//! The network of the simulated servers: loopback TCP for real clients, or in memory for tests with a paused clock. Real
//! sockets do not work with a paused clock, which would run ahead while bytes are in the kernel.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::lock;
use super::wire::Socket;

/// A cheap handle; clones are the same network.
#[derive(Clone)]
pub struct Network(Kind);

#[derive(Clone)]
enum Kind {
    Loopback,
    Memory(Arc<Mutex<Memory>>),
}

#[derive(Default)]
struct Memory {
    listeners: HashMap<String, mpsc::UnboundedSender<DuplexStream>>,
    dials: Vec<String>,
}

/// Bytes that an in-memory connection buffers before the writer has to wait.
const PIPE: usize = 64 * 1024;

impl Network {
    /// Every server gets a port of 127.0.0.1.
    pub fn loopback() -> Self {
        Self(Kind::Loopback)
    }

    /// Every server gets a name and port 80; clients reach it with [`Network::connect`] only.
    pub fn memory() -> Self {
        Self(Kind::Memory(Arc::default()))
    }

    pub fn is_memory(&self) -> bool {
        matches!(self.0, Kind::Memory(_))
    }

    /// Dials a server of an in-memory network.
    pub fn connect(&self, host: &str, port: u16) -> io::Result<DuplexStream> {
        let Kind::Memory(memory) = &self.0 else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a loopback network is reached over TCP"));
        };
        let mut memory = lock(memory);
        let address = format!("{host}:{port}");
        let refused =
            || io::Error::new(io::ErrorKind::ConnectionRefused, format!("no simulated server listens at {address}"));
        let (ours, theirs) = tokio::io::duplex(PIPE);
        memory.dials.push(address.clone());
        let listener = memory.listeners.get(&address).ok_or_else(refused)?;
        listener.send(theirs).map_err(|_| refused())?;
        Ok(ours)
    }

    /// Every `host:port` dialled so far, refused ones included, for tests that an address is never dialled. Empty on
    /// loopback.
    pub fn dials(&self) -> Vec<String> {
        match &self.0 {
            Kind::Loopback => Vec::new(),
            Kind::Memory(memory) => lock(memory).dials.clone(),
        }
    }

    /// Opens a server's listener and returns it with the authority under which clients reach it.
    pub(super) async fn listen(&self, host: &str) -> (Listener, String) {
        match &self.0 {
            Kind::Loopback => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
                let authority = listener.local_addr().expect("a bound listener has an address").to_string();
                (Listener::Tcp(listener), authority)
            }
            Kind::Memory(_) => (self.listen_in_memory(&format!("{host}:80")), host.to_owned()),
        }
    }

    /// Opens a listener at a `host:port` of an in-memory network.
    pub(super) fn listen_in_memory(&self, address: &str) -> Listener {
        let Kind::Memory(memory) = &self.0 else { panic!("only an in-memory network has names") };
        let (listener, arrivals) = mpsc::unbounded_channel();
        let taken = lock(memory).listeners.insert(address.to_owned(), listener);
        assert!(taken.is_none(), "two simulated servers are at {address}; use Preset::named");
        Listener::Memory(arrivals)
    }
}

/// The listening side of one server.
pub(super) enum Listener {
    Tcp(TcpListener),
    Memory(mpsc::UnboundedReceiver<DuplexStream>),
}

impl Listener {
    /// The next connection; `None` when the network is gone.
    pub(super) async fn accept(&mut self) -> Option<Socket> {
        match self {
            Self::Tcp(listener) => listener.accept().await.ok().map(|(stream, _)| Socket::Tcp(stream)),
            Self::Memory(arrivals) => arrivals.recv().await.map(Socket::Memory),
        }
    }
}

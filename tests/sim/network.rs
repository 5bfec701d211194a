//! Where simulated servers live: on loopback TCP for real clients, or in memory for tests with a paused clock (real
//! sockets never meet one: the clock would run ahead while bytes are in the kernel).

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
    doors: HashMap<String, mpsc::UnboundedSender<DuplexStream>>,
    dials: Vec<String>,
}

/// What a memory connection holds before the writer has to wait.
const PIPE: usize = 64 * 1024;

impl Network {
    /// Every server gets a port of 127.0.0.1.
    pub fn loopback() -> Self {
        Self(Kind::Loopback)
    }

    /// Every server gets a name and port 80; only [`Network::connect`] reaches them.
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
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, format!("nobody listens at {address}"));
        let (ours, theirs) = tokio::io::duplex(PIPE);
        memory.dials.push(address.clone());
        let door = memory.doors.get(&address).ok_or_else(refused)?;
        door.send(theirs).map_err(|_| refused())?;
        Ok(ours)
    }

    /// Every `host:port` dialled so far, refused ones too: some addresses must never even be tried.
    pub fn dials(&self) -> Vec<String> {
        match &self.0 {
            Kind::Loopback => Vec::new(),
            Kind::Memory(memory) => lock(memory).dials.clone(),
        }
    }

    /// Opens a server's door and tells the authority under which clients find it.
    pub(super) async fn listen(&self, host: &str) -> (Door, String) {
        match &self.0 {
            Kind::Loopback => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
                let authority = listener.local_addr().expect("a bound listener has an address").to_string();
                (Door::Tcp(listener), authority)
            }
            Kind::Memory(memory) => {
                let (door, arrivals) = mpsc::unbounded_channel();
                let taken = lock(memory).doors.insert(format!("{host}:80"), door);
                assert!(taken.is_none(), "two simulated servers are called {host}; use Preset::named");
                (Door::Memory(arrivals), host.to_owned())
            }
        }
    }
}

/// The listening side of one server.
pub(super) enum Door {
    Tcp(TcpListener),
    Memory(mpsc::UnboundedReceiver<DuplexStream>),
}

impl Door {
    /// The next connection; `None` when the network is gone.
    pub(super) async fn accept(&mut self) -> Option<Socket> {
        match self {
            Self::Tcp(listener) => listener.accept().await.ok().map(|(stream, _)| Socket::Tcp(stream)),
            Self::Memory(arrivals) => arrivals.recv().await.map(Socket::Memory),
        }
    }
}

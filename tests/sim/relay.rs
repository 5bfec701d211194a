//! A slow link: a loopback TCP relay with a byte rate in each direction and a delay, so that pushes over real sockets take
//! long.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// The speed of a [`Relay`], which all its connections share.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkSpeed {
    /// Bytes per second towards the server; `None` for no limit.
    pub up: Option<u64>,
    /// Bytes per second towards the client; `None` for no limit.
    pub down: Option<u64>,
    pub round_trip: Duration,
}

/// A running relay. Dropping it drops its connections.
pub struct Relay {
    address: SocketAddr,
    running: JoinHandle<()>,
}

/// Small, so that a sender is soon blocked by a slow link.
const SOCKET_BUFFER: u32 = 32 * 1024;
const MAX_PIECE: usize = 16 * 1024;
/// Maximum number of pieces in flight in one direction of one connection.
const IN_FLIGHT: usize = 64;

impl Relay {
    /// Listens on a port of 127.0.0.1 and forwards every connection to `target`, a `host:port`.
    pub fn start(target: &str, speed: LinkSpeed) -> Self {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.set_recv_buffer_size(SOCKET_BUFFER).expect("a buffer can be small");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("loopback has a free port");
        let listener = socket.listen(1024).expect("a bound socket listens");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (up, down) = (Arc::new(Direction::new(speed.up, speed)), Arc::new(Direction::new(speed.down, speed)));
        let target = target.to_owned();
        let running = tokio::spawn(async move {
            // Dropping the set, when this task is aborted, drops every connection.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(relay(client, target.clone(), Arc::clone(&up), Arc::clone(&down)));
            }
        });
        Self { address, running }
    }

    /// `127.0.0.1:34567`
    pub fn authority(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn relay(client: TcpStream, target: String, up: Arc<Direction>, down: Arc<Direction>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // An error in one direction ends both, as on a broken link.
    drop(tokio::try_join!(up.forward(from_client, to_server), down.forward(from_server, to_client)));
}

/// One direction of the link.
struct Direction {
    rate: Option<u64>,
    delay: Duration,
    /// When the link will have taken the bytes sent so far.
    busy_until: Mutex<Instant>,
}

impl Direction {
    fn new(rate: Option<u64>, speed: LinkSpeed) -> Self {
        Self { rate, delay: speed.round_trip / 2, busy_until: Mutex::new(Instant::now()) }
    }

    /// How many bytes the link takes in a fiftieth of a second, at most [`MAX_PIECE`].
    fn piece_len(&self) -> usize {
        let piece = self.rate.map_or(MAX_PIECE, |rate| usize::try_from(rate / 50).unwrap_or(MAX_PIECE));
        piece.clamp(1, MAX_PIECE)
    }

    /// Reserves the link for `len` bytes; returns the time at which it will have taken them.
    fn reserve(&self, len: usize) -> Instant {
        let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let start = Instant::now().max(*busy_until);
        let takes =
            self.rate.map_or(Duration::ZERO, |rate| Duration::from_nanos(len as u64 * 1_000_000_000 / rate.max(1)));
        *busy_until = start + takes;
        *busy_until
    }

    async fn forward(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let (sender, mut pieces) = mpsc::channel::<(Instant, BytesMut)>(IN_FLIGHT);
        let read = async move {
            loop {
                let mut piece = BytesMut::zeroed(self.piece_len());
                let len = from.read(&mut piece).await?;
                if len == 0 {
                    return Ok(());
                }
                piece.truncate(len);
                let sent = self.reserve(len);
                sleep_until(sent).await;
                if sender.send((sent + self.delay, piece)).await.is_err() {
                    return Ok(());
                }
            }
        };
        let write = async move {
            while let Some((due, piece)) = pieces.recv().await {
                sleep_until(due).await;
                to.write_all(&piece).await?;
            }
            to.shutdown().await
        };
        tokio::try_join!(read, write).map(drop)
    }
}

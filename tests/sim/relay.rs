//! A slow line: a loopback TCP relay with a byte rate each way and a delay, so that pushes take long on real sockets.

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

/// How fast the line is. All connections share it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Bytes a second towards the server; `None` for no limit.
    pub up: Option<u64>,
    /// The same towards the client.
    pub down: Option<u64>,
    pub round_trip: Duration,
}

/// Runs until dropped; its connections end with it.
pub struct Relay {
    address: SocketAddr,
    running: JoinHandle<()>,
}

/// Small, so that a sender soon feels how slow the line is.
const SOCKET_BUFFER: u32 = 32 * 1024;
const LARGEST_PIECE: usize = 16 * 1024;
/// Pieces under way in one direction of one connection.
const UNDER_WAY: usize = 64;

impl Relay {
    /// Listens on a port of 127.0.0.1 and passes everything on to `target`, a `host:port`.
    pub fn start(target: &str, pace: Pace) -> Self {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.set_recv_buffer_size(SOCKET_BUFFER).expect("a buffer can be small");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("loopback has a free port");
        let listener = socket.listen(1024).expect("a bound socket listens");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (up, down) = (Arc::new(Lane::new(pace.up, pace)), Arc::new(Lane::new(pace.down, pace)));
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

async fn relay(client: TcpStream, target: String, up: Arc<Lane>, down: Arc<Lane>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // An error on either way ends both, as a broken line does.
    drop(tokio::try_join!(up.carry(from_client, to_server), down.carry(from_server, to_client)));
}

/// One direction of the line.
struct Lane {
    rate: Option<u64>,
    delay: Duration,
    /// When the bytes sent so far will have gone in.
    busy_until: Mutex<Instant>,
}

impl Lane {
    fn new(rate: Option<u64>, pace: Pace) -> Self {
        Self { rate, delay: pace.round_trip / 2, busy_until: Mutex::new(Instant::now()) }
    }

    /// A fiftieth of a second's worth.
    fn piece(&self) -> usize {
        let piece = self.rate.map_or(LARGEST_PIECE, |rate| usize::try_from(rate / 50).unwrap_or(LARGEST_PIECE));
        piece.clamp(1, LARGEST_PIECE)
    }

    /// When `len` more bytes will have gone in.
    fn book(&self, len: usize) -> Instant {
        let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let start = Instant::now().max(*busy_until);
        let takes =
            self.rate.map_or(Duration::ZERO, |rate| Duration::from_nanos(len as u64 * 1_000_000_000 / rate.max(1)));
        *busy_until = start + takes;
        *busy_until
    }

    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let (sender, mut pieces) = mpsc::channel::<(Instant, BytesMut)>(UNDER_WAY);
        let read = async move {
            loop {
                let mut piece = BytesMut::zeroed(self.piece());
                let len = from.read(&mut piece).await?;
                if len == 0 {
                    return Ok(());
                }
                piece.truncate(len);
                let gone_in = self.book(len);
                sleep_until(gone_in).await;
                if sender.send((gone_in + self.delay, piece)).await.is_err() {
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

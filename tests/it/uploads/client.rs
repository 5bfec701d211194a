//! Clients that send a body in their own time, or say what no HTTP library would.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::{Regpass, Reply};
use crate::wire;

/// A request whose body is sent piece by piece: chunked, unless the request tells a length.
pub struct Sending {
    pieces: mpsc::UnboundedSender<Bytes>,
    answer: JoinHandle<Reply>,
    serving: JoinHandle<()>,
}

impl Sending {
    pub async fn begin(regpass: &Regpass, request: Request<Bytes>) -> Self {
        let (ours, serving) = wire::connect(regpass);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
        let (pieces, queue) = mpsc::unbounded_channel::<Bytes>();
        let body = StreamBody::new(unfold(queue, |mut queue| async move {
            let piece = queue.recv().await?;
            Some((Ok::<_, std::io::Error>(Frame::data(piece)), queue))
        }));
        let answer = tokio::spawn(async move {
            // The connection is polled here, so that whoever gives up on the answer closes it.
            let exchange = async {
                let (head, body) = sender.send_request(request.map(|_| body)).await.unwrap().into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                Reply { status: head.status, headers: head.headers, body, whole: true }
            };
            tokio::pin!(exchange, connection);
            tokio::select! {
                biased;
                reply = &mut exchange => reply,
                // The server may close as soon as it has answered.
                _ = &mut connection => exchange.await,
            }
        });
        Self { pieces, answer, serving }
    }

    pub fn piece(&self, piece: impl Into<Bytes>) {
        // A server that has answered takes no more.
        drop(self.pieces.send(piece.into()));
    }

    /// The answer to a body that is over.
    pub async fn end(self) -> Reply {
        drop(self.pieces);
        self.answer.await.unwrap()
    }

    /// The answer to a body that goes on for ever.
    pub async fn answer(self) -> Reply {
        let Self { pieces, answer, .. } = self;
        let reply = answer.await.unwrap();
        drop(pieces);
        reply
    }

    /// Closes the connection in the middle of the body, and waits until the server has noticed.
    pub async fn leave(self) {
        self.answer.abort();
        timeout(Duration::from_secs(5), self.serving).await.expect("the server notices").unwrap();
    }
}

/// A connection spoken over word by word.
pub struct Talk(DuplexStream);

impl Talk {
    pub fn begin(regpass: &Regpass) -> Self {
        Self(wire::connect(regpass).0)
    }

    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The header lines of a request, and the blank one behind them. The connection ends with the answer.
    pub async fn head(&mut self, lines: &[&str]) {
        let lines = lines.join("\r\n");
        self.say(format!("{lines}\r\nHost: localhost:5050\r\nConnection: close\r\n\r\n")).await;
    }

    /// Whether the server said nothing for so long.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        timeout(time, self.0.read_u8()).await.is_err()
    }

    /// Reads a 100, and nothing beyond it.
    pub async fn hear_continue(&mut self) {
        let mut heard = [0; 25];
        let reading = timeout(Duration::from_secs(60), self.0.read_exact(&mut heard)).await;
        reading.expect("a 100 in time").unwrap();
        assert_eq!(&heard[..], b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Says nothing more, and reads the answer, if there is one.
    pub async fn end_and_hear(mut self) -> Option<Reply> {
        self.0.shutdown().await.unwrap();
        let mut answer = Vec::new();
        drop(timeout(Duration::from_secs(120), self.0.read_to_end(&mut answer)).await.expect("the connection ends"));
        (!answer.is_empty()).then(|| wire::parse(&answer))
    }

    /// Reads the answer up to the end of the connection.
    pub async fn hear(mut self) -> Reply {
        let mut answer = Vec::new();
        let reading = timeout(Duration::from_secs(120), self.0.read_to_end(&mut answer)).await;
        reading.expect("the connection ends").unwrap();
        wire::parse(&answer)
    }
}

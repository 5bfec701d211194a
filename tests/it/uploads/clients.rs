//! Clients that send a body at their own pace, or bytes that no HTTP library sends.

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
use tokio::time::{sleep, timeout};

use crate::harness::{Regpass, Reply};
use crate::wire;

/// A request whose body is sent piece by piece: chunked, unless the request has a `Content-Length`.
pub struct StreamedRequest {
    pieces: mpsc::UnboundedSender<Bytes>,
    response: JoinHandle<Reply>,
    serving: JoinHandle<()>,
}

impl StreamedRequest {
    pub async fn start(regpass: &Regpass, request: Request<Bytes>) -> Self {
        let (stream, serving) = wire::connect(regpass);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let (pieces, queue) = mpsc::unbounded_channel::<Bytes>();
        let body = StreamBody::new(unfold(queue, |mut queue| async move {
            let piece = queue.recv().await?;
            Some((Ok::<_, std::io::Error>(Frame::data(piece)), queue))
        }));
        let response = tokio::spawn(async move {
            // The connection is polled in this task, so that aborting the task closes it.
            let exchange = async {
                let (head, body) = sender.send_request(request.map(|_| body)).await.unwrap().into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                Reply { status: head.status, headers: head.headers, body, complete: true }
            };
            tokio::pin!(exchange, connection);
            tokio::select! {
                biased;
                reply = &mut exchange => reply,
                // The server may close the connection as soon as it has responded.
                _ = &mut connection => exchange.await,
            }
        });
        Self { pieces, response, serving }
    }

    /// Sends the request with this body, one piece after each `pause`, and returns the response.
    pub async fn send_slowly(
        regpass: &Regpass,
        request: Request<Bytes>,
        body: &[u8],
        piece_length: usize,
        pause: Duration,
    ) -> Reply {
        let streamed = Self::start(regpass, request).await;
        for piece in body.chunks(piece_length) {
            sleep(pause).await;
            streamed.send_piece(piece.to_vec());
        }
        streamed.finish().await
    }

    /// Sends the request with this body, in pieces of `piece_length` bytes, and returns the response.
    pub async fn send(regpass: &Regpass, request: Request<Bytes>, body: &[u8], piece_length: usize) -> Reply {
        let streamed = Self::start(regpass, request).await;
        body.chunks(piece_length).for_each(|piece| streamed.send_piece(piece.to_vec()));
        streamed.finish().await
    }

    pub fn send_piece(&self, piece: impl Into<Bytes>) {
        // A server that has responded reads no further pieces.
        drop(self.pieces.send(piece.into()));
    }

    /// Ends the body and returns the response.
    pub async fn finish(self) -> Reply {
        drop(self.pieces);
        self.response.await.unwrap()
    }

    /// The response that comes although the body does not end.
    pub async fn response_before_end(self) -> Reply {
        let Self { pieces, response, .. } = self;
        let reply = response.await.unwrap();
        drop(pieces);
        reply
    }

    /// Closes the connection in the middle of the body and waits until the server has noticed, for 5 s at most.
    pub async fn disconnect(self) {
        self.response.abort();
        let noticed = timeout(Duration::from_secs(5), self.serving).await;
        noticed.expect("the server notices the closed connection within 5 s").unwrap();
    }
}

/// A connection over which a test writes a request byte by byte.
pub struct RawConnection(DuplexStream);

impl RawConnection {
    pub fn open(regpass: &Regpass) -> Self {
        Self(wire::connect(regpass).0)
    }

    /// Opens a connection and writes these header lines.
    pub async fn open_with_head(regpass: &Regpass, lines: &[&str]) -> Self {
        let mut connection = Self::open(regpass);
        connection.write_head(lines).await;
        connection
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes these header lines, `Host` and `Connection: close`, and the blank line behind them.
    async fn write_head(&mut self, lines: &[&str]) {
        let lines = lines.join("\r\n");
        self.write(format!("{lines}\r\nHost: localhost:5050\r\nConnection: close\r\n\r\n")).await;
    }

    /// Whether the server sends nothing for this long.
    pub async fn receives_nothing_for(&mut self, time: Duration) -> bool {
        timeout(time, self.0.read_u8()).await.is_err()
    }

    /// Reads `100 Continue`, and nothing beyond it.
    pub async fn read_continue(&mut self) {
        let mut received = [0; 25];
        let reading = timeout(Duration::from_secs(60), self.0.read_exact(&mut received)).await;
        reading.expect("100 Continue arrives within 60 s").unwrap();
        assert_eq!(&received[..], b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Closes the sending side and reads the response, if there is one.
    pub async fn shutdown_and_read(mut self) -> Option<Reply> {
        self.0.shutdown().await.unwrap();
        let mut response = Vec::new();
        let reading = timeout(Duration::from_secs(120), self.0.read_to_end(&mut response)).await;
        drop(reading.expect("the connection ends within 120 s"));
        (!response.is_empty()).then(|| wire::parse_response(&response))
    }

    /// Reads the response up to the end of the connection.
    pub async fn read_response(mut self) -> Reply {
        let mut response = Vec::new();
        let reading = timeout(Duration::from_secs(120), self.0.read_to_end(&mut response)).await;
        reading.expect("the connection ends within 120 s").unwrap();
        wire::parse_response(&response)
    }
}

//! Test fixtures: request bodies as a server receives them.

#![allow(unreachable_pub, reason = "only for tests")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub const IDLE: Duration = Duration::from_secs(30);
const PIPE: usize = 64 * 1024;

/// A client that sends one request body, piece by piece.
pub struct Client {
    pieces: Option<mpsc::UnboundedSender<Bytes>>,
    connection: JoinHandle<()>,
}

impl Client {
    pub fn send(&self, bytes: &Bytes) {
        self.pieces.as_ref().unwrap().send(bytes.clone()).unwrap();
    }

    pub fn finish(&mut self) {
        self.pieces = None;
    }

    pub fn disconnect(&self) {
        self.connection.abort();
    }
}

/// Returns a request body as a server receives it, and the client that sends it: with this `Content-Length`, or
/// chunked.
pub async fn body(length: Option<usize>) -> (Incoming, Client) {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let (sender, received) = oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let service = service_fn(move |request: Request<Incoming>| {
        sender.lock().unwrap().take().unwrap().send(request.into_body()).unwrap();
        std::future::pending::<Result<Response<BoxBody<Bytes, hyper::Error>>, hyper::Error>>()
    });
    tokio::spawn(async move {
        drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service).await);
    });
    let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    let (pieces, queue) = mpsc::unbounded_channel::<Bytes>();
    let frames = unfold(queue, |mut queue| async move {
        let piece = queue.recv().await?;
        Some((Ok::<_, std::io::Error>(Frame::data(piece)), queue))
    });
    let mut request = Request::put("/").header("host", "x");
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    let request = request.body(StreamBody::new(frames)).unwrap();
    let connection = tokio::spawn(async move {
        let response = requests.send_request(request);
        drop(tokio::join!(response, connection));
    });
    (received.await.unwrap(), Client { pieces: Some(pieces), connection })
}

pub fn random(seed: u64, len: usize) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| random.u8(..)).collect()
}

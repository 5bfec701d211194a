//! Raw connections: requests that no HTTP library sends, and responses that are read piece by piece.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use regpass::listen::connection::serve_stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::{Regpass, Reply};

/// A client's end of a connection, and the task that serves the other end.
pub fn connect(regpass: &Regpass) -> (DuplexStream, JoinHandle<()>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let handle = regpass.handle();
    (ours, tokio::spawn(async move { drop(serve_stream(theirs, handle).await) }))
}

/// Sends these header lines as they are and reads the response up to the end of the connection.
pub async fn send_raw(regpass: &Regpass, lines: &[&str]) -> Reply {
    send_raw_bytes(regpass, format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n")).as_bytes()).await
}

/// Sends these bytes and reads the response up to the end of the connection.
pub async fn send_raw_bytes(regpass: &Regpass, bytes: &[u8]) -> Reply {
    let (mut stream, _serving) = connect(regpass);
    let (mut reading, mut writing) = tokio::io::split(&mut stream);
    let mut response = Vec::new();
    // A server that rejects a head closes before it has read all of it.
    let write = async { drop(writing.write_all(bytes).await) };
    let both = async { tokio::join!(write, reading.read_to_end(&mut response)).1 };
    timeout(Duration::from_secs(120), both).await.expect("the connection ends within 120 s").unwrap();
    parse_response(&response)
}

/// Parses a raw response.
pub fn parse_response(response: &[u8]) -> Reply {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(response)));
    let head = std::str::from_utf8(&response[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse::<u16>().ok()).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    let body = Bytes::copy_from_slice(&response[end + 4..]);
    Reply { status: StatusCode::from_u16(status).unwrap(), headers, body, complete: true }
}

/// A response whose body is still being received.
pub struct StreamingResponse {
    pub body: Incoming,
    /// Drives the client's side; aborting it and dropping the body closes the connection.
    driving: JoinHandle<()>,
    pub serving: JoinHandle<()>,
}

impl StreamingResponse {
    /// Sends a request and returns once the head of the response has arrived.
    pub async fn start(regpass: &Regpass, request: Request<Bytes>) -> Self {
        let (ours, serving) = connect(regpass);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
        let driving = tokio::spawn(async move { drop(connection.await) });
        let body = sender.send_request(request.map(Full::new)).await.unwrap().into_body();
        Self { body, driving, serving }
    }

    /// The next piece of the body: `None` at its end, `Err` if the connection fails before that.
    pub async fn next_piece(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    Err(_trailers) => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Closes the connection and waits until the server has noticed, for 5 s at most.
    pub async fn disconnect(self) {
        let Self { body, driving, serving, .. } = self;
        drop(body);
        driving.abort();
        timeout(Duration::from_secs(5), serving)
            .await
            .expect("the server notices the closed connection within 5 s")
            .unwrap();
    }
}

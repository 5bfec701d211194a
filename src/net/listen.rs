//! Accepting connections and serving HTTP/1.1 on them.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::body::{BUFFER, StreamBody};
use super::stall::WriteDeadline;

/// Answers one request; never fails, because every failure has become a response.
pub type Handle = Arc<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>;
pub type Answering = Pin<Box<dyn Future<Output = Response<StreamBody>> + Send>>;

/// Accepts until `stop` resolves, then lets the open connections finish within `drain`.
pub async fn serve(listener: TcpListener, handle: Handle, stop: impl Future<Output = ()>, drain: Duration) {
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        // The permit comes before the connection: what is too many waits in the backlog.
        let accepting = async {
            let permit = permits.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut stop => break,
            accepted = accepting => accepted,
        };
        let stream = match accepted {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                // Out of file descriptors, or a connection gone before it was taken.
                debug!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        let connection = graceful.watcher().watch(connection(stream, handle.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        warn!(seconds = drain.as_secs(), "stopped with connections still open");
    }
}

/// Serves one connection, whatever it is made of.
pub async fn serve_stream<S>(stream: S, handle: Handle) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    connection(stream, handle).await
}

/// Plain `http1`, not hyper-util's `auto` server: that one reads the first bytes without a deadline, and a client
/// that sends none stays for ever (hyperium/hyper#3962).
fn connection<S>(stream: S, handle: Handle) -> http1::Connection<TokioIo<WriteDeadline<S>>, Handler>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_headers(MOST_HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(WriteDeadline::new(stream, STALL_LIMIT)), Handler(handle))
}

struct Handler(Handle);

impl hyper::service::Service<Request<Incoming>> for Handler {
    type Response = Response<StreamBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answering = (self.0)(request);
        Box::pin(async { Ok(answering.await) })
    }
}

/// Binds an address, with the error naming it.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

/// How long a client may take for a request's head, and how long an idle connection stays.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
/// How long a client may leave an answer unread.
const STALL_LIMIT: Duration = Duration::from_secs(300);
const MOST_HEADERS: usize = 128;
const MOST_CONNECTIONS: usize = 4096;

//! Accepting connections and serving HTTP on them: HTTP/2 where TLS agreed on it, else HTTP/1.1.

mod http2;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::body::{BUFFER, StreamBody};
use super::error::BoxError;
use super::peer::Peer;
use super::server_tls::{Secured, ServerTls};
use super::socket::Socket;
use super::sparing::Sparing;
use super::stall::WriteDeadline;

/// Answers one request; never fails, because every failure has become a response.
pub type Handle = Arc<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>;
pub type Answering = Pin<Box<dyn Future<Output = Response<StreamBody>> + Send>>;

/// Tells those who serve that they are to come to an end.
#[derive(Clone, Debug)]
pub struct Closing(watch::Receiver<bool>);

/// The other end of [`Closing`]; dropping it means the same as [`close`](Self::close).
#[derive(Debug)]
pub struct Close(watch::Sender<bool>);

impl Close {
    pub fn new() -> (Self, Closing) {
        let (close, closing) = watch::channel(false);
        (Self(close), Closing(closing))
    }

    pub fn close(&self) {
        self.0.send_replace(true);
    }
}

impl Closing {
    fn is_told(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    async fn told(&mut self) {
        // An error means that nobody is left to tell.
        _ = self.0.wait_for(|closing| *closing).await;
    }
}

/// What is done with the connections of a listener.
#[derive(Clone)]
pub struct Service {
    pub handle: Handle,
    /// Where connections are encrypted.
    pub tls: Option<Arc<ServerTls>>,
}

/// Without TLS.
impl From<Handle> for Service {
    fn from(handle: Handle) -> Self {
        Self { handle, tls: None }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Service {
    /// Serves one connection until its end, or until shortly after being told to come to one.
    pub async fn connection<S>(self, stream: S, peer: Peer, closing: Closing) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(tls) = self.tls else {
            let stream = WriteDeadline::new(stream, STALL_LIMIT);
            return Ok(http1_connection(stream, Handler { handle: self.handle, peer, closing }).await?);
        };
        let secured = tls.accept(WriteDeadline::new(stream, STALL_LIMIT)).await;
        let Secured { stream, is_http2, shown } =
            secured.inspect_err(|error| tls.failures.tell(error, peer.address))?;
        let handler = Handler { handle: self.handle, peer: Peer { certificate: shown, ..peer }, closing };
        if is_http2 {
            return Ok(http2::connection(stream, handler).await?);
        }
        Ok(http1_connection(stream, handler).await?)
    }
}

/// Accepts until told to come to an end, and returns when the last connection is over.
pub async fn serve(mut socket: Arc<Socket>, service: impl Into<Service>, closing: Closing) {
    let service = service.into();
    let serving = |permit, (stream, peer)| {
        let serving = service.clone().connection(stream, peer, closing.clone());
        async move {
            if let Err(error) = serving.await {
                debug!(%error, "connection ended early");
            }
            drop::<OwnedSemaphorePermit>(permit);
        }
    };
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stop = closing.clone();
    let failures = Sparing::lines_a_minute(1);
    loop {
        // The permit comes before the connection: what is too many waits in the backlog.
        let accepting = async {
            let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((permit, socket.accept().await?))
        };
        let accepted = tokio::select! {
            () = stop.told() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepting => accepted,
        };
        match accepted {
            Ok((permit, accepted)) => drop(connections.spawn(serving(permit, accepted))),
            Err(error) => {
                // Out of file descriptors, or a connection gone before it was taken.
                if error.kind() == io::ErrorKind::ConnectionAborted {
                    debug!(%error, "a connection was gone before it was accepted");
                } else if let Some(untold) = failures.untold() {
                    let untold = (untold > 0).then_some(untold);
                    warn!(%error, untold, "cannot accept connections; is the limit of open files too low?");
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // Another listener may go on with the socket. Where none does, those who wait at it would be cut off.
    while let Some(socket) = Arc::get_mut(&mut socket)
        && let Ok(permit) = permits.clone().try_acquire_owned()
        && let Ok(accepted) = socket.accept_waiting()
    {
        connections.spawn(serving(permit, accepted));
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection, whatever it is made of.
pub async fn serve_stream<S>(stream: S, handle: Handle) -> Result<(), BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (_close, closing) = Close::new();
    Service::from(handle).connection(stream, Peer::default(), closing).await
}

/// As [`serve_stream`], for a listener that encrypts, or whose connections say who is at their other end.
pub async fn serve_stream_as<S>(stream: S, peer: Peer, service: Service) -> Result<(), BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (_close, closing) = Close::new();
    service.connection(stream, peer, closing).await
}

/// Plain `http1`, not hyper-util's `auto` server: that one reads the first bytes without a deadline, and a client
/// that sends none stays for ever (hyperium/hyper#3962).
async fn http1_connection<S>(stream: S, handler: Handler) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut closing = handler.closing.clone();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_headers(MOST_HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), Http1(handler));
    let mut connection = pin!(connection);
    tokio::select! {
        over = connection.as_mut() => return over,
        () = closing.told() => {}
    }
    // Who is between two requests learns from the answer to the next one that it was the last: a connection closed in
    // front of a request that is on its way would be an error to most clients.
    if let Ok(over) = timeout(LULL, connection.as_mut()).await {
        return over;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Answers the requests of one connection.
struct Handler {
    handle: Handle,
    peer: Peer,
    closing: Closing,
}

impl Handler {
    fn answer(&self, mut request: Request<Incoming>) -> Answering {
        request.extensions_mut().insert(self.peer.clone());
        (self.handle)(request)
    }
}

struct Http1(Handler);

impl hyper::service::Service<Request<Incoming>> for Http1 {
    type Response = Response<StreamBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (answering, closing) = (self.0.answer(request), self.0.closing.clone());
        Box::pin(async move {
            let mut response = answering.await;
            if closing.is_told() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        })
    }
}

/// How long an idle connection is kept open for a last request when it is to be closed.
const LULL: Duration = Duration::from_secs(1);
/// How long a client may take for a request's head, and how long an idle connection stays.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
/// How long a client may leave an answer unread.
const STALL_LIMIT: Duration = Duration::from_secs(300);
const MOST_HEADERS: usize = 128;
const MOST_CONNECTIONS: usize = 4096;

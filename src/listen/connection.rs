//! HTTP on one client connection: HTTP/2 if the TLS handshake negotiated it, else HTTP/1.1.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::connections::OpenConnection;
use super::peer::Peer;
use super::shutdown::{ShutdownSignal, ShutdownTrigger};
use super::tls::{ServerTls, TlsConnection};
use super::usage::{ServedBody, TrackedStream, Usage};
use crate::net::body::{BUFFER, StreamBody};
use crate::net::cause::BoxError;
use crate::net::write_timeout::WriteTimeout;

/// Handles one request and returns the response. It cannot fail: errors become responses.
pub type RequestHandler = Arc<dyn Fn(Request<Incoming>) -> ResponseFuture + Send + Sync>;
pub type ResponseFuture = Pin<Box<dyn Future<Output = Response<StreamBody>> + Send>>;

/// The request handler of a listener and its TLS.
#[derive(Clone)]
pub struct ListenerService {
    pub handler: RequestHandler,
    /// `None` for plain HTTP.
    pub tls: Option<Arc<ServerTls>>,
}

/// Makes a service for plain HTTP.
impl From<RequestHandler> for ListenerService {
    fn from(handler: RequestHandler) -> Self {
        Self { handler, tls: None }
    }
}

impl fmt::Debug for ListenerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerService").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl ListenerService {
    /// Serves one connection until it ends. After `shutdown` requests under way finish, then the connection closes.
    pub async fn serve_connection<S>(self, stream: S, peer: Peer, shutdown: ShutdownSignal) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let place = OpenConnection::alone(&peer);
        self.serve_accepted(stream, peer, place, shutdown).await
    }

    /// As [`serve_connection`](Self::serve_connection), and at most until `place` is needed for another connection.
    pub(super) async fn serve_accepted<S>(
        self,
        stream: S,
        peer: Peer,
        place: OpenConnection,
        shutdown: ShutdownSignal,
    ) -> Result<(), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let usage = &place.usage;
        let stream = TrackedStream { stream: WriteTimeout::new(stream, WRITE_TIMEOUT), usage: usage.clone() };
        let handler = Handler { respond: self.handler, peer, usage: usage.clone(), shutdown };
        tokio::select! {
            outcome = serve_tracked(stream, self.tls, handler) => outcome,
            () = usage.closed() => {
                debug!("closed the longest idle connection: the listener is full");
                Ok(())
            }
        }
    }
}

async fn serve_tracked<S>(stream: S, tls: Option<Arc<ServerTls>>, handler: Handler) -> Result<(), BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(tls) = tls else { return Ok(serve_http1(stream, handler).await?) };
    let connection = tls.accept(stream).await;
    let TlsConnection { stream, is_http2, client_certificate: certificate } =
        connection.inspect_err(|error| tls.failures.log(error, handler.peer.address))?;
    let handler = Handler { peer: Peer { certificate, ..handler.peer }, ..handler };
    if is_http2 {
        return Ok(serve_http2(stream, handler).await?);
    }
    Ok(serve_http1(stream, handler).await?)
}

/// Serves plain HTTP on one stream that no accept loop accepted, such as an in-memory stream.
pub async fn serve_stream<S>(stream: S, handler: RequestHandler) -> Result<(), BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    serve_stream_from(stream, Peer::default(), ListenerService::from(handler)).await
}

/// As [`serve_stream`], with a known peer and possibly TLS.
pub async fn serve_stream_from<S>(stream: S, peer: Peer, service: ListenerService) -> Result<(), BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (_trigger, shutdown) = ShutdownTrigger::new();
    service.serve_connection(stream, peer, shutdown).await
}

/// Serves HTTP/1.1. Uses hyper's `http1` and not hyper-util's `auto` server, which reads the first bytes without a
/// timeout, so that a silent client stays connected for ever (hyperium/hyper#3962).
async fn serve_http1<S>(stream: S, handler: Handler) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut shutdown = handler.shutdown.clone();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        // `Docker-Content-Digest`, as Go's servers send it: some clients compare names to the letter.
        .title_case_headers(true)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), Http1(handler));
    let mut connection = pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return outcome,
        () = shutdown.wait() => {}
    }
    // Most clients report an error if a connection is closed while their next request is on its way. So an idle
    // connection may bring one more request, whose response says `Connection: close`.
    if let Ok(outcome) = timeout(LAST_REQUEST_WAIT, connection.as_mut()).await {
        return outcome;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Serves HTTP/2. A shutdown sends GOAWAY at once, which names the last request that regpass still answers. The client
/// can send later ones again on another connection.
async fn serve_http2<S>(stream: S, handler: Handler) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut shutdown = handler.shutdown.clone();
    let request_count = Arc::<AtomicU64>::default();
    let service = Http2 { handler, request_count: request_count.clone() };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_send_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    loop {
        let before = request_count.load(Ordering::Relaxed);
        tokio::select! {
            outcome = connection.as_mut() => return outcome,
            () = shutdown.wait() => break,
            // No new request for this long: finish those under way, then close.
            () = sleep(HEAD_TIMEOUT) => if request_count.load(Ordering::Relaxed) == before { break },
        }
    }
    connection.as_mut().graceful_shutdown();
    if request_count.load(Ordering::Relaxed) == 0 {
        // The client may have sent nothing at all, and hyper waits for the preface before it closes.
        return timeout(LAST_REQUEST_WAIT, connection).await.unwrap_or(Ok(()));
    }
    connection.await
}

/// The request handler of one connection, which adds the [`Peer`] to each request.
struct Handler {
    respond: RequestHandler,
    peer: Peer,
    usage: Arc<Usage>,
    shutdown: ShutdownSignal,
}

/// The response to one request, whose body keeps the request under way.
type ServedResponse = Pin<Box<dyn Future<Output = Result<Response<ServedBody>, Infallible>> + Send>>;

impl Handler {
    /// `closes`: whether the connection ends with this response if the listener is shutting down.
    fn respond(&self, mut request: Request<Incoming>, closes: Option<ShutdownSignal>) -> ServedResponse {
        let under_way = self.usage.clone().begin_request();
        request.extensions_mut().insert(self.peer.clone());
        let response = (self.respond)(request);
        Box::pin(async move {
            let mut response = response.await;
            if closes.is_some_and(|shutdown| shutdown.is_started()) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| ServedBody { body, _request: under_way }))
        })
    }
}

struct Http1(Handler);

impl hyper::service::Service<Request<Incoming>> for Http1 {
    type Response = Response<ServedBody>;
    type Error = Infallible;
    type Future = ServedResponse;

    fn call(&self, request: Request<Incoming>) -> ServedResponse {
        self.0.respond(request, Some(self.0.shutdown.clone()))
    }
}

struct Http2 {
    handler: Handler,
    /// Requests received so far.
    request_count: Arc<AtomicU64>,
}

impl hyper::service::Service<Request<Incoming>> for Http2 {
    type Response = Response<ServedBody>;
    type Error = Infallible;
    type Future = ServedResponse;

    fn call(&self, request: Request<Incoming>) -> ServedResponse {
        self.request_count.fetch_add(1, Ordering::Relaxed);
        self.handler.respond(request, None)
    }
}

/// How long a shutdown keeps an idle HTTP/1.1 connection open for one last request.
const LAST_REQUEST_WAIT: Duration = Duration::from_secs(1);
/// Limit for receiving a request's head, and idle timeout of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may leave sent data unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);
const MAX_HEADERS: usize = 128;
/// HTTP/2 only. A client that vanished is noticed after the interval and the timeout together.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Concurrent requests on an HTTP/2 connection. Clients pull only a handful of blobs at a time.
const MAX_STREAMS: u32 = 100;
/// Bytes of a request's headers over HTTP/2.
const MAX_HEADER_LIST: u32 = 64 * 1024;

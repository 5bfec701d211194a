//! The HTTP client: pooled connections, timeouts and circuit breakers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Notify;
use tokio::time::timeout;
use tower_service::Service;

use super::address_policy::AddressPolicy;
use super::body::{self, BUFFER, StreamBody};
use super::cause::{BoxError, ConnectTimedOut};
use super::circuit::{Circuits, Outage};
use super::content_length;
use super::dial::{Dialer, Network, PeerAddress};
use super::error::TransportError;
use super::received::Counted;
use super::repetition::Repetitions;
use super::seen_origins::SeenOrigins;
use super::spool::{Payload, Spool};
use super::uri::{port_of, scheme_of};
use crate::base::origin::Origin;

/// An HTTP/1.1 client that connects to the addresses that its [`AddressPolicy`] permits. It has no HTTP/2, which needs
/// twice the processor time for blobs.
pub struct HttpClient {
    pooled: Connections,
    /// Opens a new connection for each request.
    unpooled: Connections,
    policy: AddressPolicy,
    circuits: Circuits,
    connected: Arc<SeenOrigins>,
    timeouts: RequestTimeouts,
}

type Connections = legacy::Client<ConnectTimeout<HttpsConnector<Dialer>>, StreamBody>;

/// The timeouts of an [`HttpClient`].
#[derive(Clone, Copy, Debug)]
pub struct RequestTimeouts {
    /// For name lookup, proxy, TCP and TLS handshake together.
    pub connect: Duration,
    /// From the start of an attempt, connecting included, to the response's head. While a streamed body is sent, the
    /// longest time without progress.
    pub response_head: Duration,
}

impl HttpClient {
    pub fn new(network: Network, policy: AddressPolicy, tls: rustls::ClientConfig, timeouts: RequestTimeouts) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialer::new(network, policy.clone(), timeouts.connect));
        let connected = Arc::<SeenOrigins>::default();
        let connector = ConnectTimeout { connector, limit: timeouts.connect, connected: connected.clone() };
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(POOL_IDLE).http1_max_buf_size(BUFFER);
        let pooled = builder.pool_max_idle_per_host(POOL_SIZE).build(connector.clone());
        let unpooled = builder.pool_max_idle_per_host(0).build(connector);
        Self { pooled, unpooled, policy, circuits: Circuits::default(), connected, timeouts }
    }

    /// Sends a request and waits for the response's head. The timeout restarts with every sent piece of a streamed
    /// body.
    pub async fn send(&self, request: &Request<Payload>) -> Result<Response<Incoming>, TransportError> {
        self.send_with_allowance(request, Duration::ZERO).await
    }

    /// The origins to which the last request failed with an outage (see [`TransportError::is_outage`]).
    pub fn outages(&self) -> Vec<Outage> {
        self.circuits.outages()
    }

    /// The origins that were connected to, TLS handshake included.
    pub fn connected_origins(&self) -> Vec<Origin> {
        self.connected.list()
    }

    /// As [`send`](Self::send), with a timeout that is longer by `extra`. For a streamed body `extra` is ignored: the
    /// caller extends the timeout with [`Progress::allow_extra`](super::progress::Progress::allow_extra).
    pub async fn send_with_allowance(
        &self,
        request: &Request<Payload>,
        extra: Duration,
    ) -> Result<Response<Incoming>, TransportError> {
        let limit = self.timeouts.response_head + extra;
        let origin = origin_of(request.uri());
        if let Some(origin) = &origin {
            self.circuits.check(origin)?;
        }
        let outcome = match request.body() {
            Payload::Buffered(body) => self.send_buffered(request, body, limit).await,
            Payload::Streamed(spool) => self.send_streamed(request, spool).await,
        };
        if let Some(PeerAddress(address)) = outcome.as_ref().ok().and_then(|response| response.extensions().get()) {
            self.policy.record_answer(*address);
        }
        if let Some(origin) = &origin {
            match &outcome {
                Ok(_) => self.circuits.record_response(origin),
                Err(error) if error.is_outage() => self.circuits.record_failure(origin, error),
                Err(_) => {}
            }
        }
        let mut response = outcome?;
        content_length::normalize(response.headers_mut())
            .map_err(|why| TransportError::InvalidResponse(why.to_string()))?;
        Ok(response)
    }

    /// Sends a request whose body is in memory; each attempt may take `limit`.
    async fn send_buffered(
        &self,
        request: &Request<Payload>,
        body: &Bytes,
        limit: Duration,
    ) -> Result<Response<Incoming>, TransportError> {
        let mut repetitions = Repetitions::of(request);
        let mut connections = &self.pooled;
        loop {
            let mut outgoing = with_body(request, body_of(body.clone()));
            let connection = capture_connection(&mut outgoing);
            match timeout(limit, connections.request(outgoing)).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) if repetitions.allow(request, &error, &connection) => connections = &self.unpooled,
                Ok(Err(error)) => return Err(TransportError::from_hyper(error, self.timeouts.connect)),
                Err(_) => return Err(TransportError::HeadTimeout(limit)),
            }
        }
    }

    async fn send_streamed(
        &self,
        request: &Request<Payload>,
        spool: &Spool,
    ) -> Result<Response<Incoming>, TransportError> {
        let mut repetitions = Repetitions::of(request);
        let mut connections = &self.pooled;
        loop {
            let mut outgoing = with_expectation(request, spool.attempt().await?);
            let connection = capture_connection(&mut outgoing);
            let outcome = tokio::select! {
                outcome = connections.request(outgoing) => outcome,
                () = spool.progress().stalled(self.timeouts.response_head) => {
                    return Err(TransportError::HeadTimeout(self.timeouts.response_head));
                }
            };
            let error = match (outcome, spool.client_fault()) {
                (Ok(response), _) => return Ok(response),
                (Err(_), Some(fault)) => return Err(fault.into()),
                (Err(error), None) => error,
            };
            if !repetitions.allow(request, &error, &connection) || spool.rewind().await.is_err() {
                return Err(TransportError::from_hyper(error, self.timeouts.connect));
            }
            connections = &self.unpooled;
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

/// The request with this streamed body, which waits for `100 Continue` if the request expects it.
fn with_expectation(request: &Request<Payload>, body: StreamBody) -> Request<StreamBody> {
    if !request.headers().contains_key(EXPECT) {
        return with_body(request, body);
    }
    let continued = Arc::new(Notify::new());
    let waiting = continued.clone();
    let start = async move { drop(timeout(CONTINUE_TIMEOUT, waiting.notified()).await) };
    let mut outgoing = with_body(request, body::delayed(start, body));
    hyper::ext::on_informational(&mut outgoing, move |_| continued.notify_one());
    outgoing
}

fn with_body(request: &Request<Payload>, body: StreamBody) -> Request<StreamBody> {
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn body_of(bytes: Bytes) -> StreamBody {
    if bytes.is_empty() { body::empty() } else { body::full(bytes) }
}

fn origin_of(uri: &Uri) -> Option<Origin> {
    let host = uri.host()?.to_ascii_lowercase().into();
    Some(Origin { scheme: scheme_of(uri), host, port: port_of(uri) })
}

/// A connector that fails if a connection takes longer than `limit`, TLS handshake included, and records the origins of
/// those that succeed.
#[derive(Clone, Debug)]
struct ConnectTimeout<C> {
    connector: C,
    limit: Duration,
    connected: Arc<SeenOrigins>,
}

impl<C> Service<Uri> for ConnectTimeout<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Response: Send,
    C::Future: Send + 'static,
{
    type Response = TokioIo<Counted<C::Response>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (origin, connected) = (origin_of(&uri), self.connected.clone());
        let connecting = timeout(self.limit, self.connector.call(uri));
        Box::pin(async move {
            let stream = connecting.await.map_err(|_| ConnectTimedOut)??;
            if let Some(origin) = &origin {
                connected.record(origin);
            }
            Ok(Counted::wrap(stream))
        })
    }
}

/// How long an unused connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(60);
/// Unused connections kept per host.
const POOL_SIZE: usize = 64;
/// How long to wait for `100 Continue` before sending the body anyway (RFC 9110, section 10.1.1, requires a limit).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::net::address_policy::RegistryAddress;
    use crate::net::tls::TlsFiles;

    #[tokio::test]
    async fn only_an_answer_shows_where_a_registry_is() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = server.local_addr().unwrap();
        tokio::spawn(async move {
            // Answers plain HTTP. A TLS handshake gets bytes that are none.
            while let Ok((mut stream, _)) = server.accept().await {
                _ = stream.read(&mut [0; 1024]).await;
                _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        });
        let address = RegistryAddress::default();
        let limits = RequestTimeouts { connect: Duration::from_secs(5), response_head: Duration::from_secs(5) };
        let tls = TlsFiles::default().client_config(false).unwrap();
        let client = HttpClient::new(Network::Tcp, AddressPolicy::Registry(address.clone()), tls, limits);
        let others = AddressPolicy::OtherOrigin(address);
        let get = |scheme| Request::get(format!("{scheme}://{here}/")).body(Payload::Buffered(Bytes::new())).unwrap();
        assert!(client.send(&get("https")).await.is_err());
        assert!(others.check(here.ip()).is_err(), "a TCP connection proves nothing");
        assert!(client.send(&get("http")).await.is_ok());
        assert!(others.check(here.ip()).is_ok());
    }
}

//! The HTTP client: pooled connections, timeouts and circuit breakers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Notify;
use tokio::time::timeout;
use tower_service::Service;

use super::address_policy::AddressPolicy;
use super::body::{self, BUFFER, StreamBody};
use super::cause::{BoxError, ConnectTimedOut};
use super::circuit::{Circuits, Outage};
use super::dial::{Dialer, Network, PeerAddress};
use super::error::{TransportError, is_stale_connection};
use super::spool::{Payload, Spool};
use super::uri::{port_of, scheme_of};
use crate::base::origin::Origin;

/// An HTTP/1.1 client that connects to the addresses that its [`AddressPolicy`] permits. It has no HTTP/2, which needs
/// twice the processor time for blobs.
pub struct HttpClient {
    inner: legacy::Client<ConnectTimeout<HttpsConnector<Dialer>>, StreamBody>,
    policy: AddressPolicy,
    circuits: Circuits,
    timeouts: RequestTimeouts,
}

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
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .http1_max_buf_size(BUFFER)
            .build(ConnectTimeout { connector, limit: timeouts.connect });
        Self { inner, policy, circuits: Circuits::default(), timeouts }
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
        outcome
    }

    /// Sends a request whose body is in memory. Repeats a GET or HEAD without body if the server had closed the pooled
    /// connection; each attempt may take `limit`.
    async fn send_buffered(
        &self,
        request: &Request<Payload>,
        body: &Bytes,
        limit: Duration,
    ) -> Result<Response<Incoming>, TransportError> {
        let is_repeatable = matches!(*request.method(), Method::GET | Method::HEAD) && body.is_empty();
        let mut retries = if is_repeatable { MAX_STALE_RETRIES } else { 0 };
        loop {
            match timeout(limit, self.inner.request(with_body(request, body_of(body.clone())))).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) if retries > 0 && is_stale_connection(&error) => retries -= 1,
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
        let mut body = spool.attempt().await?;
        let continued = Arc::new(Notify::new());
        let expects_continue = request.headers().contains_key(EXPECT);
        if expects_continue {
            let continued = continued.clone();
            body = body::delayed(async move { drop(timeout(CONTINUE_TIMEOUT, continued.notified()).await) }, body);
        }
        let mut outgoing = with_body(request, body);
        if expects_continue {
            hyper::ext::on_informational(&mut outgoing, move |_| continued.notify_one());
        }
        let outcome = tokio::select! {
            outcome = self.inner.request(outgoing) => outcome,
            () = spool.progress().stalled(self.timeouts.response_head) => {
                return Err(TransportError::HeadTimeout(self.timeouts.response_head));
            }
        };
        outcome.map_err(|error| match spool.client_fault() {
            Some(fault) => fault.into(),
            None => TransportError::from_hyper(error, self.timeouts.connect),
        })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
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

/// A connector that fails if a connection takes longer than `limit`, TLS handshake included.
#[derive(Clone, Debug)]
struct ConnectTimeout<C> {
    connector: C,
    limit: Duration,
}

impl<C> Service<Uri> for ConnectTimeout<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Response: Send,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(self.limit, self.connector.call(uri));
        Box::pin(async move { connecting.await.map_err(|_| ConnectTimedOut)? })
    }
}

/// How long an unused connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(60);
/// Unused connections kept per host.
const POOL_SIZE: usize = 64;
const MAX_STALE_RETRIES: u32 = 2;
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

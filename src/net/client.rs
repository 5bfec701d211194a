//! The HTTP client of one registry's leg: pooled connections, deadlines, circuits.

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

use super::address::Guard;
use super::body::{self, BUFFER, StreamBody};
use super::circuit::{Circuits, Outage};
use super::dial::{Dialer, Network, port_of, scheme_of};
use super::error::{BoxError, TransportError, is_stale_connection};
use super::payload::Payload;
use super::spool::Spool;
use crate::base::origin::Origin;

/// Sends requests to whatever the guard permits. HTTP/1.1 only: moving blobs over HTTP/2 costs twice the processor.
pub struct Client {
    inner: legacy::Client<Deadline<HttpsConnector<Dialer>>, StreamBody>,
    circuits: Circuits,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Name lookup, TCP and TLS handshake together.
    pub connect: Duration,
    /// From the request to the response's head.
    pub head: Duration,
}

impl Client {
    pub fn new(network: Network, guard: Guard, tls: rustls::ClientConfig, limits: Limits) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialer::new(network, guard, limits.connect));
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .http1_max_buf_size(BUFFER)
            .build(Deadline { connector, limit: limits.connect });
        Self { inner, circuits: Circuits::default(), limits }
    }

    /// Sends a request, and waits for the head of its answer: for as long as the limit says, which begins anew with
    /// every piece of a streamed body that moves.
    pub async fn send(&self, request: &Request<Payload>) -> Result<Response<Incoming>, TransportError> {
        self.send_allowing(request, Duration::ZERO).await
    }

    /// The hosts that did not answer when they were last asked.
    pub fn outages(&self) -> Vec<Outage> {
        self.circuits.outages()
    }

    /// As [`send`](Self::send), for something that may take `extra` longer to be answered. What a streamed body is
    /// allowed stands in its [`Progress`](super::progress::Progress).
    pub async fn send_allowing(
        &self,
        request: &Request<Payload>,
        extra: Duration,
    ) -> Result<Response<Incoming>, TransportError> {
        let limit = self.limits.head + extra;
        let origin = origin_of(request.uri());
        if let Some(origin) = &origin {
            self.circuits.check(origin)?;
        }
        let outcome = match request.body() {
            Payload::Held(body) => self.send_held(request, body, limit).await,
            Payload::Streamed(spool) => self.send_streamed(request, spool).await,
        };
        if let Some(origin) = &origin {
            match &outcome {
                Ok(_) => self.circuits.answered(origin),
                Err(error) if error.is_outage() => self.circuits.failed(origin, error),
                Err(_) => {}
            }
        }
        outcome
    }

    /// A read is sent again when a pooled connection was stale.
    async fn send_held(
        &self,
        request: &Request<Payload>,
        body: &Bytes,
        limit: Duration,
    ) -> Result<Response<Incoming>, TransportError> {
        let may_repeat = matches!(*request.method(), Method::GET | Method::HEAD) && body.is_empty();
        let mut repeats = if may_repeat { STALE_REPEATS } else { 0 };
        loop {
            match timeout(limit, self.inner.request(with_body(request, body_of(body.clone())))).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) if repeats > 0 && is_stale_connection(&error) => repeats -= 1,
                Ok(Err(error)) => return Err(TransportError::from_hyper(error, self.limits.connect)),
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
        let wanted = Arc::new(Notify::new());
        let waits = request.headers().contains_key(EXPECT);
        if waits {
            let wanted = wanted.clone();
            body = body::after(async move { drop(timeout(CONTINUE_PATIENCE, wanted.notified()).await) }, body);
        }
        let mut sent = with_body(request, body);
        if waits {
            hyper::ext::on_informational(&mut sent, move |_| wanted.notify_one());
        }
        let outcome = tokio::select! {
            outcome = self.inner.request(sent) => outcome,
            () = spool.progress().stalled(self.limits.head) => {
                return Err(TransportError::HeadTimeout(self.limits.head));
            }
        };
        outcome.map_err(|error| match spool.fault() {
            Some(fault) => fault.into(),
            None => TransportError::from_hyper(error, self.limits.connect),
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
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

/// Bounds the whole making of a connection, TLS included.
#[derive(Clone, Debug)]
struct Deadline<C> {
    connector: C,
    limit: Duration,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no connection in time")]
pub(super) struct ConnectTimedOut;

impl<C> Service<Uri> for Deadline<C>
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

const POOL_IDLE: Duration = Duration::from_secs(60);
const POOL_SIZE: usize = 64;
const STALE_REPEATS: u32 = 2;
/// How long a registry is given to ask for a body that was announced (RFC 9110, section 10.1.1, asks for some limit).
const CONTINUE_PATIENCE: Duration = Duration::from_secs(2);

//! The HTTP client for the endpoints of clouds. Plain HTTP goes only to loopback and link-local addresses.
//!
//! It follows no redirects and keeps no cookies, and only HTTPS goes through an outbound proxy. Time and response size
//! are limited.

use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::failure::{Failure, Step};
use crate::base::origin::{BadUrl, Scheme, Url};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::net::address_policy::{AddressPolicy, RegistryAddress};
use crate::net::body::{BodyReadError, read_limited};
use crate::net::client::{HttpClient, RequestTimeouts};
use crate::net::dial::Network;
use crate::net::error::TransportError;
use crate::net::request;
use crate::net::tls::TlsFiles;

/// Connections to the endpoints of all clouds. Set up on first use, because most configurations use no cloud.
#[derive(Debug)]
pub struct CloudClient {
    network: Network,
    clients: OnceLock<Result<Clients, String>>,
}

#[derive(Debug)]
struct Clients {
    https: HttpClient,
    /// For plain HTTP: reaches only this machine and link-local addresses, where metadata services and agents are.
    local_http: HttpClient,
}

/// A request to an endpoint, and how to report its failure.
#[derive(Debug)]
pub(super) struct EndpointRequest<'a> {
    pub(super) step: &'static Step,
    pub(super) url: &'a Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Secret,
    /// The secrets in the request: an error message of the endpoint that repeats one is not shown.
    pub(super) redaction: Redaction,
    /// Advice for the case that the endpoint cannot be reached, as on a machine outside the cloud.
    pub(super) unreachable_hint: Option<&'static str>,
}

/// Why an endpoint sent no complete response.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("invalid URL: {0}")]
    Address(#[from] BadUrl),
    #[error("cannot read the response: {0}")]
    Body(#[from] BodyReadError),
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    #[error("{0}")]
    Transport(#[from] TransportError),
    #[error("no response within {} s", .0.as_secs())]
    Timeout(Duration),
}

impl CloudClient {
    pub fn new(network: Network) -> Self {
        Self { network, clients: OnceLock::new() }
    }

    /// Sends a request, at most three times if the endpoint is busy or the connection breaks.
    pub(super) async fn send(&self, request: EndpointRequest<'_>) -> Result<Answer, Failure> {
        let client = self.client(request.url).map_err(|why| request.failed(why))?;
        request.send_through(client).await
    }

    /// Sends one request once and reads the whole response, whatever its status.
    pub(super) async fn send_once(
        &self,
        url: &Url,
        request: http::Request<Bytes>,
    ) -> Result<Response<Bytes>, RequestError> {
        let (head, body) = request.into_parts();
        send_once(self.client(url)?, url, head.method, head.headers, body).await
    }

    fn client(&self, url: &Url) -> Result<&HttpClient, RequestError> {
        let clients = self.clients.get_or_init(|| self.connect().map_err(|error| error.to_string()));
        let clients = clients.as_ref().map_err(|why| RequestError::Tls(why.clone()))?;
        Ok(match url.origin.scheme {
            Scheme::Https => &clients.https,
            Scheme::Http => &clients.local_http,
        })
    }

    fn connect(&self) -> Result<Clients, rustls::Error> {
        let tls = TlsFiles::none().client_config(false)?;
        let client = |policy, connect| {
            let timeouts = RequestTimeouts { connect, response_head: DEADLINE };
            HttpClient::new(self.network.clone(), policy, tls.clone(), timeouts)
        };
        Ok(Clients {
            https: client(AddressPolicy::Registry(RegistryAddress::default()), CONNECT_TIMEOUT),
            local_http: client(AddressPolicy::LocalOnly, LOCAL_CONNECT_TIMEOUT),
        })
    }
}

impl<'a> EndpointRequest<'a> {
    pub(super) fn get(step: &'static Step, url: &'a Url, headers: HeaderMap) -> Self {
        Self {
            step,
            url,
            method: Method::GET,
            headers,
            body: Secret::new(""),
            redaction: Redaction::default(),
            unreachable_hint: None,
        }
    }

    /// A POST of a form that contains these secrets.
    pub(super) fn form(step: &'static Step, url: &'a Url, form: &[(&str, &str)], secrets: &[&Secret]) -> Self {
        let body = Secret::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish());
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        Self { step, url, method: Method::POST, headers, body, redaction: Redaction::default(), unreachable_hint: None }
            .with_secrets(secrets)
    }

    /// A POST of a JSON document.
    pub(super) fn json(step: &'static Step, url: &'a Url, mut headers: HeaderMap, body: &serde_json::Value) -> Self {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = Secret::new(body.to_string());
        Self { step, url, method: Method::POST, headers, body, redaction: Redaction::default(), unreachable_hint: None }
    }

    /// Names secrets in the request that no error message may repeat.
    pub(super) fn with_secrets(mut self, secrets: &[&Secret]) -> Self {
        self.redaction =
            secrets.iter().fold(self.redaction, |redaction, secret| redaction.with(Redaction::of_secret(secret)));
        self
    }

    /// Adds advice for the case that the endpoint cannot be reached.
    pub(super) fn with_unreachable_hint(self, hint: &'static str) -> Self {
        Self { unreachable_hint: Some(hint), ..self }
    }

    /// As [`CloudClient::send`], over the connections of another client.
    pub(super) async fn send_through(self, client: &HttpClient) -> Result<Answer, Failure> {
        let attempts = async {
            let mut delays = RETRY_DELAYS.iter();
            loop {
                let body = Bytes::copy_from_slice(self.body.expose().as_bytes());
                let outcome = send_once(client, self.url, self.method.clone(), self.headers.clone(), body).await;
                let is_transient = match &outcome {
                    Ok(response) => is_busy(response.status()),
                    Err(RequestError::Transport(TransportError::ConnectionLost(_)) | RequestError::Body(_)) => true,
                    Err(_) => false,
                };
                match delays.next().filter(|_| is_transient) {
                    Some(delay) => sleep(*delay).await,
                    None => return outcome,
                }
            }
        };
        let outcome = timeout(DEADLINE, attempts).await.unwrap_or(Err(RequestError::Timeout(DEADLINE)));
        match outcome {
            Ok(response) => Answer::read(self.step, self.url, &self.redaction, response),
            Err(why) => Err(self.failed(why)),
        }
    }

    fn failed(&self, why: impl Display) -> Failure {
        let hint = self.unreachable_hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        self.step.failed(&self.url.origin.authority(), format_args!("{why}{hint}"))
    }
}

async fn send_once(
    client: &HttpClient,
    url: &Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Bytes>, RequestError> {
    let request = request::to(url, method, headers, body)?;
    let (head, body) = client.send(&request).await?.into_parts();
    Ok(Response::from_parts(head, read_limited(body, MAX_RESPONSE_BYTES, DEADLINE).await?))
}

/// Whether the same request may succeed a moment later. Azure's metadata service answers 410 while it is updated.
pub(super) fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 410 | 429 | 500 | 502 | 503 | 504)
}

/// Limit for one request with its retries.
const DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Short, because outside a cloud packets to the address of its metadata service are often dropped silently.
const LOCAL_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The waits before the first and the second retry.
pub(super) const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// Tokens of accounts in many groups reach tens of kilobytes.
const MAX_RESPONSE_BYTES: usize = 128 * 1024;

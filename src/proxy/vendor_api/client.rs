//! Requests to a vendor's API, and its errors.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::base::origin::Url;
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::net::body::read_limited;
use crate::net::{request, retry_after};
use crate::observe::blame::{Blame, Step};
use crate::observe::metrics::Metrics;
use crate::observe::record::Record;
use crate::oci::error::{ErrorCode, one_line, readable_message};
use crate::proxy::error_response::ErrorResponse;
use crate::proxy::send::received;
use crate::upstream::Upstream;

/// A client of one vendor's API with one credential.
pub(super) struct ApiClient<'a> {
    upstream: &'a Upstream,
    metrics: &'a Metrics,
    /// The API's origin, and the path before all its paths.
    base: Url,
    headers: HeaderMap,
    /// What must not appear in an error.
    redaction: Arc<Redaction>,
    /// Where the credential comes from, for messages.
    source: &'a str,
}

/// A response of the API, with its whole body.
pub(super) struct ApiResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Bytes,
    /// The API's own message, without secrets.
    pub(super) message: Option<String>,
}

impl<'a> ApiClient<'a> {
    /// A client of the API at `host`, or at the address that the configuration names. `secret` is that of the credential
    /// from `source`.
    pub(super) fn new(
        upstream: &'a Upstream,
        host: &str,
        (secret, source): (&Secret, &'a str),
        metrics: &'a Metrics,
    ) -> Result<Self, ErrorResponse> {
        let base = match &upstream.vendor_api {
            Some(url) => url.clone(),
            None => {
                Url::parse(&format!("https://{host}/")).map_err(|why| invalid_request(upstream, &why.to_string()))?
            }
        };
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        Ok(Self { upstream, metrics, base, headers, redaction: Arc::new(Redaction::of_secret(secret)), source })
    }

    /// Adds headers to all requests.
    pub(super) fn with_headers(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        for (name, value) in headers {
            self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        self
    }

    /// Sends this token with all requests from now on.
    pub(super) fn authorize(&mut self, token: &Secret) -> Result<(), ErrorResponse> {
        let line = Secret::new(format!("Bearer {}", token.expose()));
        let value = HeaderValue::from_str(line.expose());
        let mut value = value.map_err(|_| invalid_request(self.upstream, "the credential is not valid in a header"))?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        self.redaction = Arc::new((*self.redaction).clone().with(Redaction::of_secret(token)));
        Ok(())
    }

    /// Sends a request without a body.
    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        record: &mut Record,
    ) -> Result<ApiResponse, ErrorResponse> {
        self.send_body(method, target, Bytes::new(), Some(record)).await
    }

    /// Sends a POST with a JSON document, for no client request in particular.
    pub(super) async fn post(&self, target: &str, document: &Value) -> Result<ApiResponse, ErrorResponse> {
        self.send_body(Method::POST, target, document.to_string().into(), None).await
    }

    /// Sends a request to `target`, a path with or without a query. Redirects are not followed.
    async fn send_body(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
        record: Option<&mut Record>,
    ) -> Result<ApiResponse, ErrorResponse> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let url = Url {
            origin: self.base.origin.clone(),
            path: format!("{}{path}", self.base.path.trim_end_matches('/')).into(),
            query: query.map(Into::into),
        };
        let mut headers = self.headers.clone();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = request::to(&url, method, headers, body);
        let request = request.map_err(|why| invalid_request(self.upstream, &why.to_string()))?;
        let peer = format!("the API {}", self.base.origin);
        let client = self.upstream.vendor_api_client(&url.origin).map_err(|error| ErrorResponse::from_tls(&error))?;
        let started = Instant::now();
        let outcome = client.send(&request).await;
        if let Some(record) = record {
            record.attempts += 1;
            record.upstream += started.elapsed();
        }
        let step = (Step::Registry, &*peer);
        let response = received(outcome, self.metrics, self.upstream, &url, step, self.redaction.clone())?;
        let (head, body) = response.into_parts();
        let idle = self.upstream.timeouts.body_idle;
        let body = read_limited(body, MAX_DOCUMENT, idle).await;
        let body = body.map_err(|why| self.unusable(&format!("cannot read its response: {why}")))?;
        let is_clean = |text: &[u8]| !self.redaction.leaks_in(text);
        let message = if head.status.is_success() || !is_clean(&body) {
            None
        } else {
            readable_message(&body).filter(|message| is_clean(message.as_bytes())).map(|message| one_line(&message))
        };
        Ok(ApiResponse { status: head.status, headers: head.headers, body, message })
    }

    /// The document of a successful response.
    pub(super) fn document<T: DeserializeOwned>(&self, response: &ApiResponse) -> Result<T, ErrorResponse> {
        serde_json::from_slice(&response.body).map_err(|_| self.unusable("its response is not the expected document"))
    }

    /// The error for a response that is not the expected one, whatever was requested: a rejected credential, a rate
    /// limit, an outage. `right` is what the credential lacks if the API denies the request.
    pub(super) fn refused(&self, response: &ApiResponse, right: &str) -> ErrorResponse {
        let (status, origin, source) = (response.status, &self.base.origin, self.source);
        let reason = response.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        if is_rate_limit(response) {
            let what = format!("the rate limit of the API {origin} is exceeded{reason}");
            let error = self.error(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, Blame::Registry, &what);
            return match response.headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()) {
                Some(wait) => error.with_header(RETRY_AFTER, wait),
                None => error,
            };
        }
        match status {
            StatusCode::UNAUTHORIZED => self
                .denied(&format!("the API {origin} rejected the credential from {source}; it needs {right}{reason}")),
            StatusCode::FORBIDDEN => {
                self.denied(&format!("the API {origin} denies this with {source}: it needs {right}{reason}"))
            }
            status => self.unusable(&format!("it answered {status}{reason}")),
        }
    }

    /// A 403. `what` follows the registry's name.
    pub(super) fn denied(&self, what: &str) -> ErrorResponse {
        let what = format!("{what}; see `credential` in [registry.\"{}\"]", self.upstream.host.as_str());
        self.error(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, &what)
    }

    /// The 502 for a response that regpass cannot use.
    pub(super) fn unusable(&self, why: &str) -> ErrorResponse {
        let what = format!("unusable response of the API {}: {why}", self.base.origin);
        self.error(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, Blame::Registry, &what)
    }

    /// An error. `what` follows the registry's name.
    pub(super) fn error(&self, status: StatusCode, code: ErrorCode, blame: Blame, what: &str) -> ErrorResponse {
        ErrorResponse::new(status, code, blame, Step::Registry, format!("{}: {what}", self.upstream.host.as_str()))
    }

    /// Where the credential comes from.
    pub(super) fn source(&self) -> &str {
        self.source
    }
}

/// A 429 or 503, or GitHub's 403 with which it reports both of its limits (docs.github.com, Rate limits for the REST
/// API, 2026).
fn is_rate_limit(response: &ApiResponse) -> bool {
    let is_used_up = response.headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    retry_after::is_busy(response.status)
        || response.status == StatusCode::FORBIDDEN && (is_used_up || response.headers.contains_key(RETRY_AFTER))
}

fn invalid_request(upstream: &Upstream, why: &str) -> ErrorResponse {
    let message = format!("{}: cannot build the request to the vendor's API: {why}", upstream.host.as_str());
    ErrorResponse::new(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, Blame::Configuration, Step::Classify, message)
}

/// A page of a hundred versions with their tags is far below this.
const MAX_DOCUMENT: usize = 8 * 1024 * 1024;

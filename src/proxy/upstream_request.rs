//! A request to the registry, kept so that it can be sent again.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, RANGE, VIA,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::Proxy;
use super::classify::Call;
use super::error_response::ErrorResponse;
use super::{request_headers, trace_context, via};
use crate::auth::grant::Grant;
use crate::base::origin::Url;
use crate::net::body::{BodyReadError, read_limited};
use crate::net::request;
use crate::net::spool::Payload;
use crate::observe::blame::{Blame, Step};
use crate::oci::content_range::ContentRange;
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;

/// Head and body of a request to the registry, without `Authorization`.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    request: Request<Payload>,
    pub url: Url,
    /// Time that the response may take in addition to the usual timeout.
    pub allowance: Duration,
    /// Whether this is a GET of the first byte in place of the client's HEAD.
    pub is_get_for_head: bool,
}

impl UpstreamRequest {
    /// Rejects a manifest whose declared length is too large, before anything else is done for it.
    pub fn check_manifest_size(call: &Call, body: &Incoming) -> Result<(), ErrorResponse> {
        let is_manifest = matches!(call.operation, Operation::WriteManifest(..));
        if is_manifest && body.size_hint().lower() > MAX_MANIFEST_SIZE as u64 {
            return Err(unreadable_body(&BodyReadError::TooLarge(MAX_MANIFEST_SIZE)));
        }
        Ok(())
    }

    /// Builds the request for `call`. Reads the client's body if it is a manifest, and ignores any other body.
    pub async fn from_client(proxy: &Proxy, call: &Call, head: &Parts, body: Incoming) -> Result<Self, ErrorResponse> {
        let bytes = match call.operation {
            Operation::WriteManifest(..) => {
                let reading = read_limited(body, MAX_MANIFEST_SIZE, call.routed.upstream.timeouts.body_idle);
                let read = timeout(MANIFEST_BODY_TIMEOUT, reading)
                    .await
                    .unwrap_or(Err(BodyReadError::TooSlow(MANIFEST_BODY_TIMEOUT)));
                read.map_err(|error| unreadable_body(&error))?
            }
            _ => Bytes::new(),
        };
        Self::new(proxy, call, &head.headers, bytes)
    }

    /// Builds the request for `call` from the headers of the client's request and a body.
    pub fn new(proxy: &Proxy, call: &Call, client: &HeaderMap, body: Bytes) -> Result<Self, ErrorResponse> {
        let query = (!call.query.is_empty()).then(|| call.query.to_string());
        let url = call.routed.upstream.url(&call.operation.path(), query);
        let mut headers = request_headers::forwarded(call, client);
        let by_get = call.is_head()
            && matches!(call.operation, Operation::ReadBlob(..))
            && call.routed.upstream.profile().blob_head_needs_get;
        if by_get {
            headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        }
        let method = if by_get { Method::GET } else { call.method.clone() };
        Ok(Self { is_get_for_head: by_get, ..Self::build(proxy, client, (method, url), headers, body.into())? })
    }

    /// Builds a request of an upload, to the URL of its POST or to the one that the registry named for the session.
    pub fn for_upload(
        proxy: &Proxy,
        call: &Call,
        client: &HeaderMap,
        (method, url): (Method, &Url),
        payload: Payload,
        range: Option<ContentRange>,
    ) -> Result<Self, ErrorResponse> {
        let mut headers = request_headers::for_upload(call, client, &payload, range);
        if url.origin != call.routed.upstream.origin {
            trace_context::remove(&mut headers);
        }
        // These requests have neither a body nor a `Content-Length`.
        if matches!(method, Method::GET | Method::DELETE) {
            headers.remove(CONTENT_LENGTH);
            headers.remove(CONTENT_TYPE);
        }
        Self::build(proxy, client, (method, url.clone()), headers, payload)
    }

    fn build(
        proxy: &Proxy,
        client: &HeaderMap,
        (method, url): (Method, Url),
        mut headers: HeaderMap,
        payload: Payload,
    ) -> Result<Self, ErrorResponse> {
        if let Ok(via) = HeaderValue::from_str(&via::value(proxy, client)) {
            headers.insert(VIA, via);
        }
        let request = request::to(&url, method, headers, payload).map_err(|why| invalid_request(&why.to_string()))?;
        Ok(Self { request, url, allowance: Duration::ZERO, is_get_for_head: false })
    }

    /// The HTTP request with the authorization of `grant`.
    pub fn authorized(&self, grant: &Grant) -> Request<Payload> {
        let mut request = self.request.clone();
        if let Some(header) = grant.header() {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        request
    }

    /// The same request without the client's conditional headers, for content that regpass itself needs, or whose
    /// conditions the registry has evaluated before.
    pub fn without_conditions(mut self) -> Self {
        let headers = self.request.headers_mut();
        for condition in [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE] {
            headers.remove(condition);
        }
        self
    }

    /// The same request for another byte range, without conditions. `None` if `range` is not a valid header value.
    pub fn for_range(&self, range: &str) -> Option<Self> {
        let mut other = self.clone().without_conditions();
        other.request.headers_mut().insert(RANGE, HeaderValue::from_str(range).ok()?);
        Some(other)
    }

    /// As [`for_range`](Self::for_range), for the rest of content that had this entity tag.
    pub fn for_rest(&self, range: &str, etag: Option<&HeaderValue>) -> Option<Self> {
        let mut rest = self.for_range(range)?;
        if let Some(etag) = etag {
            rest.request.headers_mut().insert(IF_RANGE, etag.clone());
        }
        Some(rest)
    }

    /// In place of a HEAD, the GET of the first byte, whose answer has the size. `None` if this already is that GET.
    pub fn for_size(&self) -> Option<Self> {
        let first_byte = self.for_range("bytes=0-0").filter(|_| !self.is_get_for_head)?;
        Some(Self { is_get_for_head: true, ..first_byte.as_get() })
    }

    /// The same request with the method GET.
    pub fn as_get(&self) -> Self {
        let mut other = self.clone();
        *other.request.method_mut() = Method::GET;
        other
    }

    pub fn payload(&self) -> &Payload {
        self.request.body()
    }

    /// The HTTP request without authorization.
    pub fn without_authorization(&self) -> &Request<Payload> {
        &self.request
    }

    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }
}

fn unreadable_body(error: &BodyReadError) -> ErrorResponse {
    let (status, code) = match error {
        BodyReadError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid),
        BodyReadError::Idle(_) | BodyReadError::TooSlow(_) => (StatusCode::REQUEST_TIMEOUT, ErrorCode::Unknown),
        BodyReadError::Incomplete(_) => (StatusCode::BAD_REQUEST, ErrorCode::Unknown),
    };
    ErrorResponse::new(status, code, Blame::Client, Step::Classify, format!("cannot read the request body: {error}"))
}

fn invalid_request(why: &str) -> ErrorResponse {
    let message = format!("cannot build the request to the registry: {why}");
    ErrorResponse::new(StatusCode::BAD_REQUEST, ErrorCode::NameInvalid, Blame::Client, Step::Classify, message)
}

/// Maximum size of a pushed manifest (distribution specification, "Pushing Manifests").
const MAX_MANIFEST_SIZE: usize = 4 * 1024 * 1024;
/// Maximum time to receive a manifest. Shorter than the limit for the whole request, so that a slow client is not
/// reported as a slow registry.
const MANIFEST_BODY_TIMEOUT: Duration = Duration::from_secs(30);

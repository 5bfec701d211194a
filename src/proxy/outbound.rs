//! The request as it goes to the registry, held so that it can be sent again.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
    VIA,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::Proxy;
use super::call::Call;
use super::failure::Failure;
use super::{headers, trace};
use crate::auth::grant::Grant;
use crate::base::origin::Url;
use crate::net::body::{ReadError, read_limited};
use crate::net::payload::Payload;
use crate::net::request;
use crate::observe::blame::{Blame, Step};
use crate::oci::chunk::ContentRange;
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;

/// Head and body of a request to the registry, without its authorization.
#[derive(Clone, Debug)]
pub struct Outbound {
    request: Request<Payload>,
    pub url: Url,
    /// How much longer than usual the answer may take.
    pub allowance: Duration,
    /// Whether a HEAD is asked as a GET of the first byte.
    pub asks_by_get: bool,
}

impl Outbound {
    /// Reads the client's small body, if it has one, and builds the registry's request.
    pub async fn prepare(proxy: &Proxy, call: &Call, head: &Parts, body: Incoming) -> Result<Self, Failure> {
        let bytes = match call.operation {
            Operation::WriteManifest(..) => {
                let reading = read_limited(body, LARGEST_DOCUMENT, call.routed.upstream.timeouts.body_idle);
                let read = timeout(SLOWEST_DOCUMENT, reading).await.unwrap_or(Err(ReadError::Slow(SLOWEST_DOCUMENT)));
                read.map_err(|error| bad_body(&error))?
            }
            // A body that means nothing is not read, and not passed on.
            _ => Bytes::new(),
        };
        Self::of(proxy, call, &head.headers, bytes)
    }

    /// The registry's request for `call`.
    pub fn of(proxy: &Proxy, call: &Call, client: &HeaderMap, body: Bytes) -> Result<Self, Failure> {
        let query = (!call.query.is_empty()).then(|| call.query.to_string());
        let url = call.routed.upstream.url(&call.operation.path(), query);
        let mut headers = headers::outbound(call, client);
        let by_get = call.is_head()
            && matches!(call.operation, Operation::ReadBlob(..))
            && call.routed.upstream.profile().blob_head_by_get;
        if by_get {
            headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        }
        let method = if by_get { Method::GET } else { call.method.clone() };
        Ok(Self { asks_by_get: by_get, ..Self::to(proxy, client, (method, url), headers, body.into())? })
    }

    /// A step of an upload, which goes where the registry said.
    pub fn step(
        proxy: &Proxy,
        call: &Call,
        client: &HeaderMap,
        (method, url): (Method, &Url),
        payload: Payload,
        range: Option<ContentRange>,
    ) -> Result<Self, Failure> {
        let mut headers = headers::of_step(call, client, &payload, range);
        if url.origin != call.routed.upstream.origin {
            trace::forget(&mut headers);
        }
        // Nobody expects a body there.
        if matches!(method, Method::GET | Method::DELETE) {
            headers.remove(CONTENT_LENGTH);
        }
        Self::to(proxy, client, (method, url.clone()), headers, payload)
    }

    fn to(
        proxy: &Proxy,
        client: &HeaderMap,
        (method, url): (Method, Url),
        mut headers: HeaderMap,
        payload: Payload,
    ) -> Result<Self, Failure> {
        if let Ok(via) = HeaderValue::from_str(&via(proxy, client)) {
            headers.insert(VIA, via);
        }
        let request = request::to(&url, method, headers, payload).map_err(|why| unsendable(&why.to_string()))?;
        Ok(Self { request, url, allowance: Duration::ZERO, asks_by_get: false })
    }

    /// The request with `grant`'s authorization.
    pub fn with(&self, grant: &Grant) -> Request<Payload> {
        let mut request = self.request.clone();
        if let Some(header) = grant.header() {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        request
    }

    /// The same request for another part of the body. The client's conditions have been met already, and were about
    /// another part.
    pub fn for_range(&self, range: &str) -> Option<Self> {
        let mut other = self.clone();
        let headers = other.request.headers_mut();
        for condition in [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE] {
            headers.remove(condition);
        }
        headers.insert(RANGE, HeaderValue::from_str(range).ok()?);
        Some(other)
    }

    /// The same request as a GET.
    pub fn as_get(&self) -> Self {
        let mut other = self.clone();
        *other.request.method_mut() = Method::GET;
        other
    }

    pub fn payload(&self) -> &Payload {
        self.request.body()
    }

    /// As it is, for whoever gets no authorization.
    pub fn bare(&self) -> &Request<Payload> {
        &self.request
    }

    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }
}

/// Whether a request went through this very process before: an upstream URL leads back to it.
pub fn is_loop(proxy: &Proxy, head: &Parts) -> bool {
    head.headers.get_all(VIA).iter().any(|via| via.to_str().is_ok_and(|via| via.contains(&*proxy.instance)))
}

/// Ourselves, after the other regpasses the request came through: each must know itself again when two lead to each
/// other. Whatever else stood in the client's `Via` is its own affair.
fn via(proxy: &Proxy, client: &HeaderMap) -> String {
    let lines = client.get_all(VIA).iter().filter_map(|line| line.to_str().ok());
    let ours = format!("1.1 {}", proxy.instance);
    let mut all: Vec<&str> =
        lines.flat_map(|line| line.split(',')).map(str::trim).filter(|one| one.starts_with("1.1 regpass-")).collect();
    all.push(&ours);
    all[all.len().saturating_sub(MOST_REMEMBERED)..].join(", ")
}

fn bad_body(error: &ReadError) -> Failure {
    let (status, code) = match error {
        ReadError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid),
        ReadError::Idle(_) | ReadError::Slow(_) => (StatusCode::REQUEST_TIMEOUT, ErrorCode::Unknown),
        ReadError::Broken(_) => (StatusCode::BAD_REQUEST, ErrorCode::Unknown),
    };
    Failure::new(status, code, Blame::Client, Step::Classify, format!("the request's body cannot be used: {error}"))
}

fn unsendable(why: &str) -> Failure {
    let message = format!("the request cannot be expressed for the registry: {why}");
    Failure::new(StatusCode::BAD_REQUEST, ErrorCode::NameInvalid, Blame::Client, Step::Classify, message)
}

/// Manifests are 4 MiB at most (distribution specification, "Pushing Manifests").
const LARGEST_DOCUMENT: usize = 4 * 1024 * 1024;
/// Short of the limit for everything, so that a client that is slow is not told that the registry is.
const SLOWEST_DOCUMENT: Duration = Duration::from_secs(30);
/// A longer chain of regpasses than anybody builds.
const MOST_REMEMBERED: usize = 16;

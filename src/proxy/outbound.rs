//! The request as it goes to the registry, held so that it can be sent again.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, RANGE, VIA};
use http::{HeaderValue, Method, Request, StatusCode, request};
use hyper::body::Incoming;

use super::Proxy;
use super::call::Call;
use super::failure::Failure;
use super::headers;
use crate::auth::exchange::add_common_headers;
use crate::auth::grant::Grant;
use crate::base::origin::Url;
use crate::net::body::{ReadError, read_limited};
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;

/// Head and body of a request to the registry, without its authorization.
#[derive(Clone, Debug)]
pub struct Outbound {
    request: Request<Bytes>,
    pub url: Url,
}

impl Outbound {
    /// Reads the client's small body, if it has one, and builds the registry's request.
    pub async fn prepare(proxy: &Proxy, call: &Call, head: &request::Parts, body: Incoming) -> Result<Self, Failure> {
        let upstream = &call.routed.upstream;
        let query = (!call.query.is_empty()).then(|| call.query.to_string());
        let url = upstream.url(&call.operation.path(), query);
        let bytes = match call.operation {
            Operation::WriteManifest(..) => read_limited(body, LARGEST_DOCUMENT, upstream.timeouts.body_idle)
                .await
                .map_err(|error| bad_body(&error))?,
            // A body that means nothing is not read, and not passed on.
            _ => Bytes::new(),
        };
        let mut request = Request::new(bytes);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = url.uri().map_err(|why| unsendable(&why.to_string()))?;
        let headers = request.headers_mut();
        *headers = headers::outbound(call, &head.headers);
        add_common_headers(headers, &url);
        if let Ok(via) = HeaderValue::from_str(&format!("1.1 {}", proxy.instance)) {
            headers.insert(VIA, via);
        }
        headers.remove(CONTENT_LENGTH);
        Ok(Self { request, url })
    }

    /// The request with `grant`'s authorization.
    pub fn with(&self, grant: &Grant) -> Request<Bytes> {
        let mut request = self.request.clone();
        if let Some(header) = grant.header() {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        request
    }

    /// The same request for another part of the body.
    pub fn for_range(&self, range: &str) -> Option<Self> {
        let mut other = self.clone();
        other.request.headers_mut().insert(RANGE, HeaderValue::from_str(range).ok()?);
        Some(other)
    }

    /// The same request as a GET.
    pub fn as_get(&self) -> Self {
        let mut other = self.clone();
        *other.request.method_mut() = Method::GET;
        other
    }

    pub fn body(&self) -> &Bytes {
        self.request.body()
    }

    pub fn headers(&self) -> &http::HeaderMap {
        self.request.headers()
    }
}

/// Whether a request went through this very process before: an upstream URL leads back to it.
pub fn is_loop(proxy: &Proxy, head: &request::Parts) -> bool {
    head.headers.get_all(VIA).iter().any(|via| via.to_str().is_ok_and(|via| via.contains(&*proxy.instance)))
}

fn bad_body(error: &ReadError) -> Failure {
    let (status, code) = match error {
        ReadError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid),
        ReadError::Idle(_) => (StatusCode::REQUEST_TIMEOUT, ErrorCode::Unknown),
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

//! Follows redirects of a registry without sending the credential: a redirect URL carries its own authorization, if it
//! needs one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;

use super::classify::Call;
use super::error_response::ErrorResponse;
use super::referrers::api::is_referrers_redirect;
use super::registry_error::ErrorContent;
use super::send;
use super::trace_context;
use super::upstream_request::UpstreamRequest;
use crate::base::origin::{Scheme, Url};
use crate::base::redaction::Redaction;
use crate::base::url_escape::escape_reference;
use crate::config::model::Redirects;
use crate::net::body::drain;
use crate::net::request;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::byte_range::RequestedRange;
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;

/// The outcome of a request after its redirects.
#[derive(Debug)]
pub enum FetchOutcome {
    /// The registry's own response.
    Registry(Response<Incoming>),
    /// The response of the last redirect target.
    RedirectTarget(Response<Incoming>),
    /// A redirect that the client follows itself.
    PassedToClient(Url),
}

/// Why following redirects failed.
#[derive(Debug)]
pub enum RedirectError {
    /// The redirect target rejected its signed URL, probably because it has expired. The registry can issue a new one.
    Expired(ErrorResponse),
    Failed(ErrorResponse),
}

impl From<ErrorResponse> for RedirectError {
    fn from(error: ErrorResponse) -> Self {
        Self::Failed(error)
    }
}

/// Follows 301, 302, 303, 307 and 308 for reads of blobs, manifests and tag lists, and for referrers if the target is a
/// referrers API. Any other redirect stays the response. With `redirects = "pass"` the client itself follows those of
/// blobs to another origin.
pub async fn follow(
    call: &Call,
    request: &UpstreamRequest,
    mut response: Response<Incoming>,
    record: &mut Record,
) -> Result<FetchOutcome, RedirectError> {
    let may_follow = |headers: &HeaderMap| match &call.operation {
        Operation::ReadBlob(..) | Operation::ReadManifest(..) | Operation::ListTags(_) => true,
        Operation::ListReferrers(_, digest) => is_referrers_redirect(headers, digest),
        _ => false,
    };
    let mut hop = Hop { url: request.url.clone(), has_left_origin: false, count: 0 };
    while is_redirect(response.status()) && may_follow(response.headers()) {
        hop = hop.next(call, response.headers())?;
        // A redirect within the registry's origin is followed here: the client may not be able to reach the registry.
        let passes_to_client = hop.has_left_origin
            && call.routed.policy.redirects == Redirects::Pass
            && matches!(call.operation, Operation::ReadBlob(..))
            && !call.is_head();
        if passes_to_client {
            let secrets = response.extensions().get::<Arc<Redaction>>();
            if secrets.is_some_and(|secrets| secrets.leaks_in(hop.url.target())) {
                return Err(hop.failure(call, "its Location repeats the credential that regpass sent").into());
            }
            return Ok(FetchOutcome::PassedToClient(hop.url));
        }
        drain(response.into_body()).await;
        record.hops += 1;
        response = hop.fetch(call, request, record).await?;
    }
    if hop.count == 0 {
        return Ok(FetchOutcome::Registry(if request.is_get_for_head { as_head(response) } else { response }));
    }
    let reads_blob = matches!(call.operation, Operation::ReadBlob(..));
    match response.status() {
        // S3, GCS and Azure answer 403 or 400 to an expired signature.
        StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST | StatusCode::GONE => {
            let (head, body) = response.into_parts();
            let content = ErrorContent::read(call, &head, body).await;
            let why = match &content.message {
                Some(message) => format!("it answered {}: {message}", head.status),
                None => format!("it answered {}", head.status),
            };
            Err(RedirectError::Expired(match head.status {
                // After too many ranges. Clients then request fewer (containers/storage, pkg/chunked).
                StatusCode::BAD_REQUEST if RequestedRange::of(request.headers()) == Some(RequestedRange::Several) => {
                    content.into_error(call, &head, Step::Redirect)
                }
                StatusCode::FORBIDDEN if !reads_blob => hop.denied(call, &why),
                _ => hop.failure(call, &why),
            }))
        }
        StatusCode::UNAUTHORIZED => {
            let why = "it requires authorization, and regpass sends no credential to redirect targets";
            Err(if reads_blob { hop.failure(call, why) } else { hop.denied(call, why) }.into())
        }
        _ => Ok(FetchOutcome::RedirectTarget(response)),
    }
}

pub fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The position in a chain of redirects.
#[derive(Debug)]
struct Hop {
    url: Url,
    /// Whether any hop was at another origin than the registry's.
    has_left_origin: bool,
    count: u32,
}

impl Hop {
    /// The hop to `Location`. `has_left_origin` stays set even if the chain comes back to the registry's origin.
    fn next(self, call: &Call, headers: &HeaderMap) -> Result<Self, ErrorResponse> {
        let location = headers.get(LOCATION).map(|value| escape_reference(value.as_bytes()));
        let Some(location) = location else { return Err(self.failure(call, "its redirect has no Location")) };
        let url = match self.url.join(&location) {
            Ok(url) => url,
            Err(why) => return Err(self.failure(call, &format!("its Location is not a valid URL: {why}"))),
        };
        if self.url.origin.scheme == Scheme::Https && url.origin.scheme == Scheme::Http {
            return Err(self.failure(call, &format!("it redirects from https to plain http ({url})")));
        }
        if self.count == MAX_HOPS {
            return Err(self.failure(call, &format!("it redirects more than {MAX_HOPS} times")));
        }
        let has_left_origin = self.has_left_origin || url.origin != self.url.origin;
        Ok(Self { url, has_left_origin, count: self.count + 1 })
    }

    async fn fetch(
        &self,
        call: &Call,
        request: &UpstreamRequest,
        record: &mut Record,
    ) -> Result<Response<Incoming>, ErrorResponse> {
        let reads_blob = matches!(call.operation, Operation::ReadBlob(..));
        // A signed URL is valid for GET only. A GET of the first byte returns the size, as a HEAD would.
        let is_get_for_head = call.is_head() && reads_blob;
        let method = if is_get_for_head { Method::GET } else { call.method.clone() };
        let mut headers = request.headers().clone();
        if is_get_for_head {
            headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        }
        // `Via` stays, because a request loop may lead over a redirect.
        if self.has_left_origin {
            trace_context::remove(&mut headers);
        }
        if reads_blob {
            headers.remove(ACCEPT);
        }
        let hop_request = request::to(&self.url, method, headers, Bytes::new());
        let hop_request = hop_request.map_err(|why| self.failure(call, &why.to_string()))?;
        let peer = format!("the redirect target {} of {}", self.url.origin, call.registry());
        let response = send::send(
            call,
            &hop_request,
            (&self.url, Duration::ZERO),
            (Step::Redirect, &peer),
            Arc::default(),
            record,
        )
        .await?;
        Ok(if is_get_for_head { as_head(response) } else { response })
    }

    /// The error for a redirect target that denies a read other than of a blob (401 or 403). Some registries redirect
    /// private content to such targets, but regpass sends them no credential.
    fn denied(&self, call: &Call, why: &str) -> ErrorResponse {
        let message = format!(
            "{} redirects reads to {}, where the repository does not exist or is not public: {why}",
            call.registry(),
            self.url.origin
        );
        ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Registry, Step::Redirect, message)
    }

    /// The error for a redirect that cannot be followed.
    fn failure(&self, call: &Call, why: &str) -> ErrorResponse {
        let message = format!("cannot follow the redirect of {} at {}: {why}", call.registry(), self.url.origin);
        ErrorResponse::new(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, Blame::Storage, Step::Redirect, message)
    }
}

/// Turns the response to a GET with `bytes=0-0` into that to a HEAD. A server that ignores `Range` sends the whole
/// body; regpass reads little of it and closes the connection.
fn as_head(mut response: Response<Incoming>) -> Response<Incoming> {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let size = range.and_then(|range| range.rsplit_once('/')).and_then(|(_, size)| size.parse::<u64>().ok());
    let is_partial = response.status() == StatusCode::PARTIAL_CONTENT;
    // An empty blob has no first byte.
    let is_empty_blob = response.status() == StatusCode::RANGE_NOT_SATISFIABLE && size == Some(0);
    if is_partial || is_empty_blob {
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.remove(CONTENT_RANGE);
        match size {
            Some(size) => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(size))),
            None => drop(headers.remove(CONTENT_LENGTH)),
        }
    }
    response
}

const MAX_HOPS: u32 = 5;

//! Turns the registry's response into the client's, in one form for all registries.

use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, response};
use hyper::body::Incoming;

use super::Proxy;
use super::blob_check::BlobCheck;
use super::classify::Call;
use super::error_response::ErrorResponse;
use super::extension;
use super::paging;
use super::redirect::FetchOutcome;
use super::referrers::push::note_push;
use super::referrers::tag::{is_subject_manifest, no_tag_error};
use super::registry_error;
use super::response_body;
use super::response_headers::{self, DOCKER_CONTENT_DIGEST};
use super::upstream_request::UpstreamRequest;
use super::{content_encoding, content_size, fetch, tag_deletion};
use crate::base::origin::Url;
use crate::net::body::{self, StreamBody, drain};
use crate::net::spool::Payload;
use crate::observe::blame::Step;
use crate::observe::record::Record;
use crate::oci::byte_range::RequestedRange;
use crate::oci::operation::{Access, Operation};
use crate::oci::query::Query;
use crate::oci::reference::Digest;

/// A response for the client.
#[derive(Debug)]
pub enum ClientResponse {
    Ready(Response<StreamBody>),
    /// A response whose body is streamed, with the request to repeat for the missing bytes if the transfer breaks.
    Stream {
        head: response::Parts,
        body: Incoming,
        proxy: Arc<Proxy>,
        call: Box<Call>,
        request: Box<UpstreamRequest>,
    },
}

impl ClientResponse {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Ready(response) => response.status(),
            Self::Stream { head, .. } => head.status,
        }
    }

    /// `Docker-Content-Digest`, if there is one.
    pub fn digest(&self) -> Option<&str> {
        let headers = match self {
            Self::Ready(response) => response.headers(),
            Self::Stream { head, .. } => &head.headers,
        };
        headers.get(DOCKER_CONTENT_DIGEST)?.to_str().ok()
    }
}

/// Makes the client's response from the outcome of a fetch: checks the status, normalizes the headers, and reads the body
/// where regpass has to know it.
pub async fn normalize(
    proxy: &Arc<Proxy>,
    call: Call,
    request: UpstreamRequest,
    outcome: FetchOutcome,
    record: &mut Record,
) -> Result<ClientResponse, ErrorResponse> {
    let (response, step) = match outcome {
        FetchOutcome::PassedToClient(url) => return redirect_response(&call, &url).map(ClientResponse::Ready),
        FetchOutcome::Registry(response) => (response, Step::Registry),
        FetchOutcome::RedirectTarget(response) => (response, Step::Redirect),
    };
    let (mut head, body) = response.into_parts();
    if extension::is_missing(&call, &head) {
        drain(body).await;
        return Err(extension::missing_error(&call));
    }
    check_status(&call, &request, &head)?;
    if is_subject_manifest(&call, &head) {
        drain(body).await;
        return Err(no_tag_error(&call));
    }
    if head.status.is_client_error() || head.status.is_server_error() {
        let error = registry_error::from_response(&call, &head, body, step).await;
        return Err(tag_deletion::explain_rejection(&call, error));
    }
    if !matches!(call.operation, Operation::ReadBlob(..)) && response_body::is_web_page(&head.headers) {
        return Err(call.unusable_response("it is a web page instead of the requested content"));
    }
    let mut headers = response_headers::forwarded(&head.headers);
    paging::rewrite_link(&call, &head.headers, &mut headers);
    head.headers = headers;
    let is_read_here = !call.is_head() && head.status.is_success() && response_body::must_be_read(&call, &head.headers);
    if is_read_here {
        // The digest that the registry reported verifies the body, too.
        let bytes = response_body::read(&call, &mut head, body).await?;
        set_requested_digest(&call, &mut head.headers);
        return Ok(ClientResponse::Ready(Response::from_parts(head, body::full(bytes))));
    }
    set_requested_digest(&call, &mut head.headers);
    if matches!(call.operation, Operation::WriteManifest(..)) && head.status.is_success() {
        let digest = set_manifest_location(&call, &request, &mut head.headers);
        note_push(&call, &request, &digest, &head.headers);
    }
    if call.is_head() || head.status == StatusCode::NOT_MODIFIED {
        drain(body).await;
        let get_is_decoded =
            response_body::must_be_read(&call, &head.headers) && content_encoding::is_encoded(&head.headers);
        // The headers of a HEAD are those of a GET, and regpass would decode the body of that GET.
        if get_is_decoded {
            head.headers.remove(CONTENT_ENCODING);
        }
        if get_is_decoded || head.status == StatusCode::NOT_MODIFIED {
            head.headers.remove(CONTENT_LENGTH);
        }
        if call.is_head() && head.status == StatusCode::OK {
            complete_head(proxy, &call, (&request, step), &mut head.headers, record).await?;
        }
        return Ok(ClientResponse::Ready(Response::from_parts(head, body::empty())));
    }
    let is_empty = head.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
    if is_empty && BlobCheck::of(&call, &head).is_some_and(|check| !check.matches()) {
        return Err(call.unusable_response("it sends no bytes for a blob that is not empty"));
    }
    Ok(ClientResponse::Stream { head, body, proxy: proxy.clone(), call: Box::new(call), request: Box::new(request) })
}

/// A 307 for a blob redirect that the client follows itself. Its `Location` is absolute, because that of the registry
/// may be relative.
fn redirect_response(call: &Call, url: &Url) -> Result<Response<StreamBody>, ErrorResponse> {
    let location = url.uri().ok().and_then(|uri| HeaderValue::from_str(&uri.to_string()).ok());
    let location = location.ok_or_else(|| call.unusable_response("its redirect URL is not a valid header value"))?;
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    set_requested_digest(call, response.headers_mut());
    Ok(response)
}

/// Rejects a status that the client would misunderstand: a redirect that regpass did not follow, a 304 to a request
/// without a condition and, for reads, a success other than 200 and 203, or 206 if the request had a `Range`. Errors
/// pass.
pub(super) fn check_status(
    call: &Call,
    request: &UpstreamRequest,
    head: &response::Parts,
) -> Result<(), ErrorResponse> {
    let status = head.status;
    let is_read = call.operation.access() == Access::Pull;
    let is_expected = match status {
        StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => true,
        // Without a condition there is nothing that the client could have instead of the content.
        StatusCode::NOT_MODIFIED => is_read && CONDITIONS.iter().any(|name| request.headers().contains_key(name)),
        StatusCode::PARTIAL_CONTENT => {
            let Some(range) = RequestedRange::of(request.headers()) else {
                return Err(call.unusable_response("it answers 206 to a request without a valid range"));
            };
            if !range.is_answered_by(&head.headers) {
                return Err(call.unusable_response("it sends another range than the requested one"));
            }
            true
        }
        status if status.is_success() => !is_read,
        status => status.is_client_error() || status.is_server_error(),
    };
    if is_expected { Ok(()) } else { Err(call.unusable_response(&format!("unexpected status {status}"))) }
}

/// Sets the digest that the client requested, if the registry omits it or names the content by another algorithm
/// (distribution: always SHA-256). Clients compare the two. For a read, it replaces any other: what regpass reads is
/// verified, and a size or a range is that of the requested content.
fn set_requested_digest(call: &Call, headers: &mut HeaderMap) {
    let algorithm = |digest: &str| digest.split_once(':').map(|(algorithm, _)| algorithm.to_owned());
    let reported = headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| algorithm(value.to_str().ok()?));
    if let Some(digest) = call.operation.digest()
        && (call.operation.access() == Access::Pull || reported != algorithm(digest.as_str()))
        && let Ok(value) = HeaderValue::from_str(digest.as_str())
    {
        headers.insert(DOCKER_CONTENT_DIGEST, value);
    }
}

/// Adds the digest of a pushed manifest if the registry omits it, and sets `Location` to the URL by which the client
/// reaches the manifest. Returns the digest.
fn set_manifest_location(call: &Call, request: &UpstreamRequest, headers: &mut HeaderMap) -> String {
    if !headers.contains_key(DOCKER_CONTENT_DIGEST)
        && let Payload::Buffered(body) = request.payload()
        && let Ok(value) = HeaderValue::from_str(Digest::of(body).as_str())
    {
        headers.insert(DOCKER_CONTENT_DIGEST, value);
    }
    let digest =
        headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (name, _) = call.routed.path.segments().split_at(call.routed.path.segments().len().saturating_sub(2));
    let location = call.routed.client_urls.url(&format!("/{}/manifests/{digest}", name.join("/")), Query::default());
    if let Ok(value) = HeaderValue::from_str(&location) {
        headers.insert(LOCATION, value);
    }
    digest
}

/// Adds size and digest to the headers of the successful response to a HEAD of a blob or manifest, if the registry omits
/// them. A redirect target was asked for the first byte already, which would have told the size.
async fn complete_head(
    proxy: &Proxy,
    call: &Call,
    (request, step): (&UpstreamRequest, Step),
    headers: &mut HeaderMap,
    record: &mut Record,
) -> Result<(), ErrorResponse> {
    let has_length = headers.contains_key(CONTENT_LENGTH) || content_size::add_known(call, headers);
    match call.operation {
        Operation::ReadBlob(..) if !has_length && step == Step::Registry => {
            content_size::add_blob_size(proxy, call, request, headers, record).await;
        }
        Operation::ReadManifest(..) if !has_length || !headers.contains_key(DOCKER_CONTENT_DIGEST) => {
            *headers = headers_from_get(proxy, call, request, record).await?;
            content_size::remember(call, headers);
        }
        _ => {}
    }
    Ok(())
}

/// Fetches the manifest by GET and returns its headers. If they have no digest either, it is computed from the content.
async fn headers_from_get(
    proxy: &Proxy,
    call: &Call,
    request: &UpstreamRequest,
    record: &mut Record,
) -> Result<HeaderMap, ErrorResponse> {
    let call = Call { method: Method::GET, ..call.clone() };
    let request = request.as_get().without_conditions();
    let (mut head, body) = fetch::fetch_manifest(proxy, &call, &request, record).await?;
    head.headers = response_headers::forwarded(&head.headers);
    response_body::read(&call, &mut head, body).await?;
    set_requested_digest(&call, &mut head.headers);
    Ok(head.headers)
}

/// The headers that allow a 304 (RFC 9110, section 15.4.5).
const CONDITIONS: [HeaderName; 2] = [IF_NONE_MATCH, IF_MODIFIED_SINCE];

//! From the registry's answer to the client's: one shape for all of them.

use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, response};
use hyper::body::Incoming;

use super::Proxy;
use super::call::Call;
use super::document;
use super::exchange::Timing;
use super::failure::Failure;
use super::headers::{self, DOCKER_CONTENT_DIGEST};
use super::outbound::Outbound;
use super::page;
use super::pipeline;
use super::redirect::Landing;
use super::referrers;
use super::refusal;
use crate::base::origin::Url;
use crate::net::body::{self, StreamBody, drain};
use crate::net::payload::Payload;
use crate::observe::blame::Step;
use crate::observe::record::Record;
use crate::oci::operation::{Access, Operation};
use crate::oci::query::Query;
use crate::oci::reference::Digest;

/// An answer for the client.
#[derive(Debug)]
pub enum Reply {
    Ready(Response<StreamBody>),
    /// A body that is passed on as it comes, and what is needed to ask for the rest of it.
    Stream {
        head: response::Parts,
        body: Incoming,
        proxy: Arc<Proxy>,
        call: Box<Call>,
        outbound: Box<Outbound>,
    },
}

impl Reply {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Ready(response) => response.status(),
            Self::Stream { head, .. } => head.status,
        }
    }

    /// What the content is, as far as it says.
    pub fn digest(&self) -> Option<&str> {
        let headers = match self {
            Self::Ready(response) => response.headers(),
            Self::Stream { head, .. } => &head.headers,
        };
        headers.get(DOCKER_CONTENT_DIGEST)?.to_str().ok()
    }
}

/// Normalizes the end of a fetch.
pub async fn complete(
    proxy: &Arc<Proxy>,
    call: Call,
    outbound: Outbound,
    landing: Landing,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Reply, Failure> {
    let (response, step) = match landing {
        Landing::HandedOn(url) => return handed_on(&call, &url).map(Reply::Ready),
        Landing::Registry(response) => (response, Step::Registry),
        Landing::Elsewhere(response) => (response, Step::Redirect),
    };
    let (mut head, body) = response.into_parts();
    if referrers::are_lacking(&call, &head) {
        drain(body).await;
        return Err(referrers::no_api(&call));
    }
    check_status(&call, &outbound, &head)?;
    if referrers::are_the_subject_itself(&call, &head) {
        drain(body).await;
        return Err(referrers::no_fallback(&call));
    }
    if head.status.is_client_error() || head.status.is_server_error() {
        return Err(refusal::normalized(&call, &head, body, step).await);
    }
    if !matches!(call.operation, Operation::ReadBlob(..)) && document::is_web_page(&head.headers) {
        return Err(document::unusable(&call, "it is a web page, not what was asked for"));
    }
    let mut own = headers::inbound(&head.headers);
    page::relink(&call, &head.headers, &mut own);
    head.headers = own;
    add_known_digest(&call, &mut head.headers);
    if matches!(call.operation, Operation::WriteManifest(..)) && head.status.is_success() {
        point_at_manifest(&call, &outbound, &mut head.headers);
    }
    if call.is_head() || head.status == StatusCode::NOT_MODIFIED {
        drain(body).await;
        if needs_content(&call, &head) {
            head.headers = headers_of_get(proxy, &call, &outbound, record, timing).await?;
        }
        let differs_from_get = document::must_be_read(&call, &head.headers) && document::is_encoded(&head.headers);
        if differs_from_get {
            head.headers.remove(CONTENT_ENCODING);
        }
        if differs_from_get || head.status == StatusCode::NOT_MODIFIED {
            head.headers.remove(CONTENT_LENGTH);
        }
        return Ok(Reply::Ready(Response::from_parts(head, body::empty())));
    }
    if head.status.is_success() && document::must_be_read(&call, &head.headers) {
        let bytes = document::read(&call, &mut head.headers, body).await?;
        return Ok(Reply::Ready(Response::from_parts(head, body::full(bytes))));
    }
    Ok(Reply::Stream { head, body, proxy: proxy.clone(), call: Box::new(call), outbound: Box::new(outbound) })
}

/// A blob redirect the client follows by itself: absolute, because it may be relative to the registry.
fn handed_on(call: &Call, url: &Url) -> Result<Response<StreamBody>, Failure> {
    let location = url.uri().ok().and_then(|uri| HeaderValue::from_str(&uri.to_string()).ok());
    let location = location.ok_or_else(|| document::unusable(call, "it redirects to a URL no header can hold"))?;
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    add_known_digest(call, response.headers_mut());
    Ok(response)
}

/// Whether the status says what a client would take it for: a read that succeeded is the whole of what was asked for.
fn check_status(call: &Call, outbound: &Outbound, head: &response::Parts) -> Result<(), Failure> {
    let status = head.status;
    let reads = call.operation.access() == Access::Pull;
    let fits = match status {
        StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION | StatusCode::NOT_MODIFIED => true,
        StatusCode::PARTIAL_CONTENT if reads => outbound.headers().contains_key(RANGE),
        status if status.is_success() => !reads,
        status => status.is_client_error() || status.is_server_error(),
    };
    if fits { Ok(()) } else { Err(document::unusable(call, &format!("{status} is no answer to this request"))) }
}

/// What was asked for by digest is that digest.
fn add_known_digest(call: &Call, headers: &mut HeaderMap) {
    if let Some(digest) = call.operation.digest()
        && !headers.contains_key(DOCKER_CONTENT_DIGEST)
        && let Ok(value) = HeaderValue::from_str(digest.as_str())
    {
        headers.insert(DOCKER_CONTENT_DIGEST, value);
    }
}

/// `Location` of a manifest that was written: by digest, in the client's own terms.
fn point_at_manifest(call: &Call, outbound: &Outbound, headers: &mut HeaderMap) {
    if !headers.contains_key(DOCKER_CONTENT_DIGEST)
        && let Payload::Held(body) = outbound.payload()
        && let Ok(value) = HeaderValue::from_str(Digest::of(body).as_str())
    {
        headers.insert(DOCKER_CONTENT_DIGEST, value);
    }
    let digest = headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (name, _) = call.routed.path.segments().split_at(call.routed.path.segments().len().saturating_sub(2));
    let location = call.routed.outside.url(&format!("/{}/manifests/{digest}", name.join("/")), Query::default());
    if let Ok(value) = HeaderValue::from_str(&location) {
        headers.insert(LOCATION, value);
    }
}

/// A HEAD by tag that came back without a digest.
fn needs_content(call: &Call, head: &response::Parts) -> bool {
    call.is_head()
        && head.status == StatusCode::OK
        && matches!(call.operation, Operation::ReadManifest(..))
        && !head.headers.contains_key(DOCKER_CONTENT_DIGEST)
}

/// Reads the manifest to know its digest, for a registry that does not tell.
async fn headers_of_get(
    proxy: &Proxy,
    call: &Call,
    outbound: &Outbound,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<HeaderMap, Failure> {
    let call = Call { method: Method::GET, ..call.clone() };
    let outbound = outbound.as_get();
    let (head, body) = pipeline::look(proxy, &call, &outbound, record, timing).await?;
    let mut headers = headers::inbound(&head.headers);
    document::read(&call, &mut headers, body).await?;
    Ok(headers)
}

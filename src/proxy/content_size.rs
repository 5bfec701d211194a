//! `Content-Length` for responses to HEAD. containerd and oras need the size of a blob or manifest, but some registries,
//! and proxies in front of them, send none with a HEAD.

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::timeout;

use super::Proxy;
use super::classify::Call;
use super::fetch::fetch;
use super::redirect::FetchOutcome;
use super::response_headers::{content_length, reported_digest};
use super::upstream_request::UpstreamRequest;
use crate::net::body::drain;
use crate::observe::record::Record;

/// Adds the size of a blob to the headers of the response to its HEAD, and remembers it: the size that a GET of the first
/// byte tells. If it tells none within seconds, the headers stay as they are, and this is remembered for a minute.
pub async fn add_blob_size(
    proxy: &Proxy,
    call: &Call,
    request: &UpstreamRequest,
    headers: &mut HeaderMap,
    record: &mut Record,
) {
    let (sizes, digest) = (&call.routed.upstream.content_sizes, reported_digest(headers));
    let is_untold = digest.as_ref().is_some_and(|digest| sizes.is_untold(digest));
    let Some(request) = request.for_size().filter(|_| !is_untold) else { return };
    let size = timeout(MAX_WAIT, fetch_size(proxy, call, &request, record)).await.unwrap_or_default();
    match (size, digest) {
        (Some(size), _) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
            remember(call, headers);
        }
        (None, Some(digest)) => sizes.remember_untold(&digest),
        (None, None) => {}
    }
}

/// Adds the remembered size, and returns whether the headers have one now.
pub fn add_known(call: &Call, headers: &mut HeaderMap) -> bool {
    let size = reported_digest(headers).and_then(|digest| call.routed.upstream.content_sizes.get(&digest));
    if let Some(size) = size {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    }
    headers.contains_key(CONTENT_LENGTH)
}

/// Remembers the size that the headers have.
pub fn remember(call: &Call, headers: &HeaderMap) {
    if let (Some(digest), Some(size)) = (reported_digest(headers), content_length(headers)) {
        call.routed.upstream.content_sizes.remember(&digest, size);
    }
}

async fn fetch_size(proxy: &Proxy, call: &Call, request: &UpstreamRequest, record: &mut Record) -> Option<u64> {
    let (FetchOutcome::Registry(response) | FetchOutcome::RedirectTarget(response)) =
        fetch(proxy, call, request, record).await.ok()?
    else {
        return None;
    };
    let (head, body) = response.into_parts();
    // A server that ignores `Range` sends the whole blob; regpass reads little of it and closes the connection.
    drain(body).await;
    content_length(&head.headers).filter(|_| head.status == StatusCode::OK)
}

/// How long a client waits for a size in addition to the answer that regpass already has.
const MAX_WAIT: Duration = Duration::from_secs(5);

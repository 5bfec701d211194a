//! Which headers cross, each way. Lists of what may pass: what nobody thought of stays behind.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, DATE, ETAG, EXPECT, EXPIRES, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, RETRY_AFTER, VARY, VIA, WARNING,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::call::Call;
use super::trace::Trace;
use crate::net::payload::Payload;
use crate::oci::chunk::ContentRange;
use crate::oci::media::{ALL_MANIFESTS, accepts_anything};
use crate::oci::operation::{BodyClass, Operation};
use crate::oci::reference::Digest;

pub const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What of a client's headers goes to the registry: content negotiation, conditions, ranges, tracing. Credentials and
/// cookies never do.
pub fn outbound(call: &Call, client: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in &FORWARDED {
        for value in client.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    for (name, value) in client {
        if name.as_str().starts_with("oci-") {
            headers.append(name, value.clone());
        }
    }
    if let Some(trace) = Trace::of(client) {
        trace.write(&mut headers);
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if matches!(call.operation, Operation::ReadManifest(..)) && !names_a_type(&headers) {
        headers.insert(ACCEPT, HeaderValue::from_static(ALL_MANIFESTS));
    }
    // A document is small, and an answer to HEAD has no body: only a blob is worth asking for in parts.
    if !matches!(call.operation, Operation::ReadBlob(..)) || call.is_head() || !is_single_range(&headers) {
        headers.remove(RANGE);
        headers.remove(IF_RANGE);
    }
    headers
}

/// What goes to the registry with a step of an upload. Its body is bytes and nothing else: distribution refuses other
/// types, and clients like curl name some of their own accord.
pub fn of_step(call: &Call, client: &HeaderMap, payload: &Payload, range: Option<ContentRange>) -> HeaderMap {
    let mut headers = outbound(call, client);
    for name in [CONTENT_RANGE, CONTENT_TYPE] {
        headers.remove(name);
    }
    headers.extend(payload.length().map(|length| (CONTENT_LENGTH, HeaderValue::from(length))));
    // The empty blob has a type, too.
    if call.operation.body_class() == BodyClass::Bulk {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
    if payload.is_empty() {
        return headers;
    }
    headers.extend(range.and_then(|range| Some((CONTENT_RANGE, HeaderValue::try_from(range.to_string()).ok()?))));
    if matches!(payload, Payload::Streamed(_)) {
        let waits = client.get(EXPECT).filter(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        headers.extend(waits.map(|expect| (EXPECT, expect.clone())));
    }
    headers
}

/// What of the registry's headers goes to the client.
pub fn inbound(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in upstream {
        let word = name.as_str();
        if *name == DOCKER_CONTENT_DIGEST && !is_digest(value) {
            continue;
        }
        let passes = RETURNED.contains(name)
            || is_limit(name)
            || word.starts_with("oci-")
            || (word.starts_with("docker-") && word != "docker-ratelimit-source");
        if passes {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// What of a refusal's headers belongs to what it says: how much is left, when to come back, how long the blob is.
pub fn of_refusal(upstream: &HeaderMap, status: StatusCode) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let says_something = move |name: &HeaderName| {
        is_limit(name)
            || *name == RETRY_AFTER
            || (*name == CONTENT_RANGE && status == StatusCode::RANGE_NOT_SATISFIABLE)
    };
    let kept = upstream.iter().filter(move |(name, _)| says_something(name));
    kept.map(|(name, value)| (name.clone(), value.clone()))
}

/// What is no digest names nothing: better found out than passed on.
fn is_digest(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| Digest::parse(text).is_ok())
}

fn is_limit(name: &HeaderName) -> bool {
    ["ratelimit-", "x-ratelimit-"].iter().any(|prefix| name.as_str().starts_with(prefix))
}

/// What regpass says of itself on every response.
pub fn sign(headers: &mut HeaderMap) {
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(VIA, HeaderValue::from_static("1.1 regpass"));
}

fn names_a_type(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|accept| !accepts_anything(accept)))
}

/// CDN targets answer several ranges in forms of their own; one range, or none, is what goes upstream.
fn is_single_range(headers: &HeaderMap) -> bool {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.trim().starts_with("bytes=") && !range.contains(','))
}

static FORWARDED: [HeaderName; 9] = [
    ACCEPT,
    CONTENT_RANGE,
    CONTENT_TYPE,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
];

static RETURNED: [HeaderName; 16] = [
    ACCEPT_RANGES,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    RANGE,
    RETRY_AFTER,
    VARY,
    WARNING,
    HeaderName::from_static("docker-upload-uuid"),
    DOCKER_CONTENT_DIGEST,
];

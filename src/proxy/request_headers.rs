//! The headers of requests to the registry. Only headers on an allow-list are forwarded.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, EXPECT, HeaderName, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderValue};

use super::classify::Call;
use super::trace_context::TraceContext;
use crate::net::spool::Payload;
use crate::oci::content_range::ContentRange;
use crate::oci::media::{ALL_MANIFEST_TYPES, accepts_anything};
use crate::oci::operation::{BodyKind, Operation};

/// The headers for the registry: the client's content negotiation, conditions, ranges, tracing and `OCI-*`, and
/// defaults for `Accept` and `Accept-Encoding`. Credentials and cookies are never forwarded.
pub fn forwarded(call: &Call, client: &HeaderMap) -> HeaderMap {
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
    if let Some(trace) = TraceContext::of(client) {
        trace.write(&mut headers);
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if matches!(call.operation, Operation::ReadManifest(..)) && !names_a_type(&headers) {
        headers.insert(ACCEPT, HeaderValue::from_static(ALL_MANIFEST_TYPES));
    }
    // Ranges are for blobs only: manifests and listings are small, and the response to a HEAD has no body.
    if !matches!(call.operation, Operation::ReadBlob(..)) || call.is_head() || !is_byte_range(&headers) {
        headers.remove(RANGE);
        headers.remove(IF_RANGE);
    }
    headers
}

/// The headers of one request of an upload session. The body's type is always `application/octet-stream`: distribution
/// rejects others, and some clients, like curl, send their own.
pub fn for_upload(call: &Call, client: &HeaderMap, payload: &Payload, range: Option<ContentRange>) -> HeaderMap {
    let mut headers = forwarded(call, client);
    for name in [CONTENT_RANGE, CONTENT_TYPE] {
        headers.remove(name);
    }
    headers.extend(payload.length().map(|length| (CONTENT_LENGTH, HeaderValue::from(length))));
    // A request with an empty body has a type, too.
    if call.operation.body_kind() == BodyKind::Streamed {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
    if payload.is_empty() {
        return headers;
    }
    headers.extend(range.and_then(|range| Some((CONTENT_RANGE, HeaderValue::try_from(range.to_string()).ok()?))));
    if matches!(payload, Payload::Streamed(_)) {
        let expect = client.get(EXPECT).filter(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        headers.extend(expect.map(|expect| (EXPECT, expect.clone())));
    }
    headers
}

/// Whether `Accept` names a specific media type.
fn names_a_type(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|accept| !accepts_anything(accept)))
}

/// Whether `Range` is in bytes: the other units mean nothing to a registry. Units are case-insensitive (RFC 9110,
/// section 14.1).
fn is_byte_range(headers: &HeaderMap) -> bool {
    let unit = headers.get(RANGE).and_then(|range| range.to_str().ok()?.trim().get(..6));
    unit.is_some_and(|unit| unit.eq_ignore_ascii_case("bytes="))
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

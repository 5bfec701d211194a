//! The headers of responses to the client. Only headers on an allow-list are forwarded.

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, DATE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED, RANGE, RETRY_AFTER, VARY, VIA, WARNING,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::net::retry_after;
use crate::oci::reference::Digest;

pub const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

pub const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// `Cross-Origin-Resource-Policy` (Fetch standard, section 3.7): which pages may embed a response.
pub const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const OCI_NAMESPACE: HeaderName = HeaderName::from_static("oci-namespace");

pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The registry's headers that go to the client with a response that is not an error.
pub fn forwarded(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in upstream {
        let text = name.as_str();
        if *name == DOCKER_CONTENT_DIGEST && !is_digest(value) {
            continue;
        }
        let passes = FORWARDED.contains(name)
            || is_rate_limit(name)
            || text.starts_with("oci-")
            || (text.starts_with("docker-") && text != "docker-ratelimit-source");
        if passes {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// The registry's headers that go to the client with an error: rate limit, `Retry-After` in whole seconds or as
/// a date, and with a 416 the `Content-Range`, which has the blob's size.
pub fn of_error(upstream: &HeaderMap, status: StatusCode) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let is_forwarded = move |name: &HeaderName| {
        is_rate_limit(name)
            || *name == RETRY_AFTER
            || (*name == CONTENT_RANGE && status == StatusCode::RANGE_NOT_SATISFIABLE)
    };
    let forwarded = upstream.iter().filter(move |(name, _)| is_forwarded(name));
    forwarded.map(|(name, value)| match retry_after::with_units(value).filter(|_| *name == RETRY_AFTER) {
        Some(wait) => (name.clone(), HeaderValue::from(retry_after::rounded_seconds(wait))),
        None => (name.clone(), value.clone()),
    })
}

/// The digest of the content, if the headers have a valid one.
pub fn reported_digest(headers: &HeaderMap) -> Option<Digest> {
    Digest::parse(headers.get(DOCKER_CONTENT_DIGEST)?.to_str().ok()?).ok()
}

/// The number in `Content-Length`.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Adds the headers that every response of regpass has. Three of them keep registry content from running in a browser as
/// a page of regpass: no guess at the type, no script and no embedding elsewhere.
pub fn add_own(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(VIA, HeaderValue::from_static("1.1 regpass"));
}

/// Sets `OCI-Namespace` to the `ns` by which the client selected the registry (distribution specification, "Registry
/// Proxying"). Without one it has no meaning: the registry received no `ns`.
pub fn set_namespace(headers: &mut HeaderMap, namespace: Option<&str>) {
    headers.remove(OCI_NAMESPACE);
    if let Some(value) = namespace.and_then(|namespace| HeaderValue::from_str(namespace).ok()) {
        headers.insert(OCI_NAMESPACE, value);
    }
}

/// Whether the value is a digest of a registered algorithm. Any other is not forwarded: regpass adds the one that the
/// client asked for, or the one that it computes.
fn is_digest(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| Digest::parse(text).is_ok_and(|digest| digest.is_registered()))
}

fn is_rate_limit(name: &HeaderName) -> bool {
    ["ratelimit-", "x-ratelimit-"].iter().any(|prefix| name.as_str().starts_with(prefix))
}

static FORWARDED: [HeaderName; 16] = [
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

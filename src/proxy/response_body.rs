//! Response bodies that regpass reads whole before it forwards them: manifests, and listings to filter or decode.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, response};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::classify::Call;
use super::content_encoding::{decode, is_encoded};
use super::error_response::ErrorResponse;
use super::response_headers::{DOCKER_CONTENT_DIGEST, reported_digest};
use crate::base::redaction::Redaction;
use crate::net::body::read_limited;
use crate::oci::blob_hash;
use crate::oci::name::RepositoryName;
use crate::oci::operation::{Access, Operation};
use crate::oci::reference::Digest;

/// Whether regpass must read the response body: to verify a manifest, to filter the catalog, or to decode a listing.
pub fn must_be_read(call: &Call, headers: &HeaderMap) -> bool {
    match call.operation {
        Operation::ReadManifest(..) => true,
        Operation::ListRepositories => {
            is_encoded(headers) || call.routed.policy.repositories.0.contains_key(&Access::Pull)
        }
        Operation::ListTags(_) | Operation::ReadExtension(..) => is_encoded(headers),
        _ => false,
    }
}

/// Reads a body, decodes and checks it, and completes its headers.
pub async fn read(call: &Call, head: &mut response::Parts, body: Incoming) -> Result<Bytes, ErrorResponse> {
    let headers = &mut head.headers;
    let limit =
        if matches!(call.operation, Operation::ReadManifest(..)) { MAX_MANIFEST_SIZE } else { MAX_LISTING_SIZE };
    let unusable = |why: &str| call.unusable_response(why);
    let bytes = read_limited(body, limit, call.routed.upstream.timeouts.body_idle)
        .await
        .map_err(|error| unusable(&error.to_string()))?;
    let mut bytes = decode(bytes, headers.get(CONTENT_ENCODING), limit).map_err(unusable)?;
    if head.extensions.get::<Arc<Redaction>>().is_some_and(|secrets| secrets.leaks_in(&bytes)) {
        return Err(unusable("it repeats the credential that regpass sent"));
    }
    headers.remove(CONTENT_ENCODING);
    match &call.operation {
        Operation::ReadManifest(_, reference) => {
            verify_manifest(headers, &bytes, reference.digest()).map_err(unusable)?;
            add_manifest_headers(headers, &bytes, reference.digest());
        }
        Operation::ListRepositories => bytes = filter_catalog(call, bytes).map_err(unusable)?,
        _ => {}
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Ok(bytes)
}

/// Whether a listing says that it is larger than what regpass reads.
pub fn exceeds_listing_limit(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|value| value.parse::<usize>().ok()).is_some_and(|length| length > MAX_LISTING_SIZE)
}

/// Whether a response has this media type, with or without parameters.
pub fn has_type(headers: &HeaderMap, media_type: &str) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}

/// Whether a response is a web page, such as that of a captive portal or a login form.
pub fn is_web_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/html")
}

/// Adds digest and media type, if the registry omits them.
fn add_manifest_headers(headers: &mut HeaderMap, bytes: &Bytes, requested: Option<&Digest>) {
    if !headers.contains_key(DOCKER_CONTENT_DIGEST) {
        let digest = requested.cloned().unwrap_or_else(|| Digest::of(bytes));
        if let Ok(value) = HeaderValue::from_str(digest.as_str()) {
            headers.insert(DOCKER_CONTENT_DIGEST, value);
        }
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, manifest_type(bytes));
    }
}

/// The manifest's `mediaType`, else the type that its members imply (image specification, "Image Manifest" and "Image
/// Index").
fn manifest_type(bytes: &Bytes) -> HeaderValue {
    let manifest: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let named = manifest.get("mediaType").and_then(Value::as_str).and_then(|kind| HeaderValue::from_str(kind).ok());
    named.unwrap_or_else(|| {
        HeaderValue::from_static(if manifest.get("manifests").is_some() {
            "application/vnd.oci.image.index.v1+json"
        } else {
            "application/vnd.oci.image.manifest.v1+json"
        })
    })
}

/// Removes from a catalog the repositories that clients may not pull.
pub(super) fn filter_catalog(call: &Call, bytes: Bytes) -> Result<Bytes, &'static str> {
    let policy = &call.routed.policy;
    if !policy.repositories.0.contains_key(&Access::Pull) {
        return Ok(bytes);
    }
    let catalog: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let names = match catalog.get("repositories") {
        Some(Value::Array(names)) => names.as_slice(),
        Some(Value::Null) => &[],
        _ => return Err("it is not a list of repositories"),
    };
    let is_permitted = |name: &&Value| {
        let name = name.as_str().and_then(|name| RepositoryName::parse(name).ok());
        name.is_some_and(|name| policy.allows_repository(Access::Pull, &name))
    };
    let names: Vec<&Value> = names.iter().filter(is_permitted).collect();
    Ok(json!({ "repositories": names }).to_string().into())
}

/// Verifies a manifest by the requested digest and by that in `Docker-Content-Digest`, as far as there are any whose
/// algorithm regpass computes. This also detects a manifest that the registry's storage truncated.
fn verify_manifest(headers: &HeaderMap, bytes: &Bytes, requested: Option<&Digest>) -> Result<(), &'static str> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The digest of a signed schema 1 manifest covers its payload only.
    if kind.contains("manifest.v1+prettyjws") {
        return Ok(());
    }
    let reported = reported_digest(headers);
    let is_wrong =
        requested.into_iter().chain(&reported).any(|digest| blob_hash::matches(digest, bytes) == Some(false));
    if is_wrong { Err("the manifest does not match its digest") } else { Ok(()) }
}

/// Maximum size of a pulled manifest: four times what registries have to accept (distribution specification, "Pushing
/// Manifests").
const MAX_MANIFEST_SIZE: usize = 16 * 1024 * 1024;
const MAX_LISTING_SIZE: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_manifest_type_is_derived_from_the_content() {
        for (body, kind) in [
            (
                r#"{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#,
                "application/vnd.docker.distribution.manifest.v2+json",
            ),
            (r#"{"manifests":[]}"#, "application/vnd.oci.image.index.v1+json"),
            (r#"{"layers":[]}"#, "application/vnd.oci.image.manifest.v1+json"),
            ("not json", "application/vnd.oci.image.manifest.v1+json"),
        ] {
            assert_eq!(manifest_type(&Bytes::from(body)), kind, "{body}");
        }
    }
}

//! Small documents, read whole where their content has to be known.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::headers::DOCKER_CONTENT_DIGEST;
use crate::net::body::read_limited;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::oci::name::RepositoryName;
use crate::oci::operation::{Access, Operation};
use crate::oci::reference::Digest;

/// Whether the answer's body must be read before the client gets it.
pub fn must_be_read(call: &Call, headers: &HeaderMap) -> bool {
    match call.operation {
        Operation::ReadManifest(..) => true,
        Operation::ListRepositories => {
            is_encoded(headers) || call.routed.terms.repositories.0.contains_key(&Access::Pull)
        }
        Operation::ListTags(_) | Operation::ListReferrers(..) => is_encoded(headers),
        _ => false,
    }
}

/// Reads a document, undoes an encoding nobody asked for, and completes its headers.
pub async fn read(call: &Call, headers: &mut HeaderMap, body: Incoming) -> Result<Bytes, Failure> {
    let limit = if matches!(call.operation, Operation::ReadManifest(..)) { LARGEST_MANIFEST } else { LARGEST_LISTING };
    let bytes = read_limited(body, limit, call.routed.upstream.timeouts.body_idle)
        .await
        .map_err(|error| unusable(call, &error.to_string()))?;
    let mut bytes = decoded(bytes, headers.get(CONTENT_ENCODING), limit).map_err(|why| unusable(call, why))?;
    headers.remove(CONTENT_ENCODING);
    match &call.operation {
        Operation::ReadManifest(_, reference) => {
            check_manifest(headers, &bytes, reference.digest()).map_err(|why| unusable(call, why))?;
            describe_manifest(headers, &bytes, reference.digest());
        }
        Operation::ListRepositories => bytes = only_permitted(call, bytes).map_err(|why| unusable(call, why))?,
        _ => {}
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Ok(bytes)
}

/// Whether a successful answer to a document request is a web page: a captive portal, a login page, a redirect's end.
pub fn is_web_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/html")
}

pub fn unusable(call: &Call, why: &str) -> Failure {
    let message = format!("the answer of {} cannot be used: {why}", call.registry());
    Failure::new(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, Blame::Registry, Step::Transfer, message)
}

/// Undoes `Content-Encoding`; at most `limit` bytes come out.
pub fn decoded(bytes: Bytes, encoding: Option<&HeaderValue>, limit: usize) -> Result<Bytes, &'static str> {
    let encoding = encoding.and_then(|value| value.to_str().ok()).unwrap_or_default().trim().to_ascii_lowercase();
    let mut plain = Vec::new();
    let cap = limit as u64 + 1;
    let outcome = match &*encoding {
        "" | "identity" => return Ok(bytes),
        "gzip" | "x-gzip" => GzDecoder::new(&*bytes).take(cap).read_to_end(&mut plain),
        "deflate" => ZlibDecoder::new(&*bytes).take(cap).read_to_end(&mut plain),
        _ => return Err("it comes in an encoding that was not asked for and is not known"),
    };
    match outcome {
        Ok(length) if length > limit => Err("it is too large once decoded"),
        Ok(_) => Ok(plain.into()),
        Err(_) => Err("its encoding is broken"),
    }
}

/// Whether a document comes in an encoding that nobody asked for.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

/// Digest and media type, where the registry left them out.
fn describe_manifest(headers: &mut HeaderMap, bytes: &Bytes, asked: Option<&Digest>) {
    if !headers.contains_key(DOCKER_CONTENT_DIGEST) {
        let digest = asked.cloned().unwrap_or_else(|| Digest::of(bytes));
        if let Ok(value) = HeaderValue::from_str(digest.as_str()) {
            headers.insert(DOCKER_CONTENT_DIGEST, value);
        }
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, manifest_type(bytes));
    }
}

/// The manifest's own `mediaType`, or what its members make it (image specification, "Image Manifest" and "Image Index").
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

/// A catalog shows what may be pulled, and nothing else.
fn only_permitted(call: &Call, bytes: Bytes) -> Result<Bytes, &'static str> {
    let terms = &call.routed.terms;
    if !terms.repositories.0.contains_key(&Access::Pull) {
        return Ok(bytes);
    }
    let catalog: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let names = match catalog.get("repositories") {
        Some(Value::Array(names)) => names.as_slice(),
        Some(Value::Null) => &[],
        _ => return Err("it is no list of repositories"),
    };
    let permitted = |name: &&Value| {
        let name = name.as_str().and_then(|name| RepositoryName::parse(name).ok());
        name.is_some_and(|name| terms.permits(Access::Pull, &name))
    };
    let names: Vec<&Value> = names.iter().filter(permitted).collect();
    Ok(json!({ "repositories": names }).to_string().into())
}

/// HTTP cannot tell that a manifest was cut short before it was sent; its digest can.
fn check_manifest(headers: &HeaderMap, bytes: &Bytes, asked: Option<&Digest>) -> Result<(), &'static str> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The digest of a signed schema 1 manifest is that of its payload.
    if kind.contains("manifest.v1+prettyjws") {
        return Ok(());
    }
    let told = headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| Digest::parse(value.to_str().ok()?).ok());
    let matches = asked.into_iter().chain(&told).all(|digest| digest.names(bytes));
    if matches { Ok(()) } else { Err("the manifest is not what its digest names") }
}

/// Four times what the specification has registries accept.
const LARGEST_MANIFEST: usize = 16 * 1024 * 1024;
const LARGEST_LISTING: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn encodings_are_undone_within_bounds() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&[b'x'; 1000]).unwrap();
        let gzip = Bytes::from(gzip.finish().unwrap());
        let value = HeaderValue::from_static;
        assert_eq!(decoded(gzip.clone(), Some(&value("gzip")), 1000).unwrap().len(), 1000);
        assert!(decoded(gzip.clone(), Some(&value("gzip")), 999).is_err());
        assert!(decoded(gzip.slice(..20), Some(&value("gzip")), 1000).is_err());
        assert!(decoded(gzip.clone(), Some(&value("br")), 1000).is_err());
        assert_eq!(decoded(gzip.clone(), Some(&value("identity")), 10).unwrap(), gzip);
    }

    #[test]
    fn manifests_without_a_type_get_theirs() {
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

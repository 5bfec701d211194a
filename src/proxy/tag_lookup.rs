//! Looks up the digest of a tag, for deletions at registries that delete by digest only.

use bytes::Bytes;
use http::{Method, request};

use super::Proxy;
use super::classify::Call;
use super::error_response::ErrorResponse;
use super::fetch;
use super::response_headers::DOCKER_CONTENT_DIGEST;
use super::upstream_request::UpstreamRequest;
use crate::net::body::drain;
use crate::observe::record::Record;
use crate::oci::operation::Operation;
use crate::oci::reference::{Digest, Reference};

/// Replaces the tag of a deletion by the digest that it points to now, if the registry deletes by digest only. Any
/// other call is returned unchanged.
pub async fn resolve(
    proxy: &Proxy,
    call: Call,
    head: &request::Parts,
    record: &mut Record,
) -> Result<Call, ErrorResponse> {
    let (name, tag) = match &call.operation {
        Operation::DeleteManifest(name, tag @ Reference::Tag(_)) if call.needs_digest => (name.clone(), tag.clone()),
        _ => return Ok(call),
    };
    let operation = Operation::ReadManifest(name.clone(), tag);
    let lookup = Call { operation, method: Method::HEAD, ..call.clone() };
    let request = UpstreamRequest::new(proxy, &lookup, &head.headers, Bytes::new())?;
    let (head, body) = fetch::fetch_manifest(proxy, &lookup, &request, record).await?;
    drain(body).await;
    let digest = head.headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| Digest::parse(value.to_str().ok()?).ok());
    let digest = digest.ok_or_else(|| lookup.unusable_response("it does not include the digest of the tag"))?;
    Ok(Call { operation: Operation::DeleteManifest(name, Reference::Digest(digest)), ..call })
}

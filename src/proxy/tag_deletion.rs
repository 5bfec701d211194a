//! Deletions of tags at registries that delete manifests by digest only.

use bytes::Bytes;
use http::header::ALLOW;
use http::{Method, StatusCode, request};

use super::Proxy;
use super::classify::Call;
use super::error_response::ErrorResponse;
use super::fetch;
use super::response_headers::reported_digest;
use super::upstream_request::UpstreamRequest;
use crate::net::body::drain;
use crate::observe::blame::Blame;
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;
use crate::oci::reference::Reference;

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
    let request = UpstreamRequest::new(proxy, &lookup, &head.headers, Bytes::new())?.without_conditions();
    let (head, body) = fetch::fetch_manifest(proxy, &lookup, &request, record).await?;
    drain(body).await;
    let digest = reported_digest(&head.headers);
    let digest = digest.ok_or_else(|| lookup.unusable_response("it does not include the digest of the tag"))?;
    Ok(Call { operation: Operation::DeleteManifest(name, Reference::Digest(digest)), ..call })
}

/// Replaces the 400 that a registry answers to the deletion of a tag because it deletes by digest only (distribution 2:
/// `DIGEST_INVALID`). It looks like a mistake of the client. regpass does not delete the digest instead unless the profile
/// says so, because that deletes the other tags of the manifest, too.
pub fn explain_rejection(call: &Call, error: ErrorResponse) -> ErrorResponse {
    let Operation::DeleteManifest(name, tag @ Reference::Tag(_)) = &call.operation else { return error };
    let needs_digest =
        [ErrorCode::DigestInvalid, ErrorCode::Unsupported].iter().any(|code| *error.code == *code.as_str());
    if error.status != StatusCode::BAD_REQUEST || !needs_digest {
        return error;
    }
    let message = format!(
        "{} deletes manifests by digest only, not tags. To delete the manifest of {name}:{tag} and every other tag of it, delete its digest, which is in the Docker-Content-Digest of its HEAD (registry message: {})",
        call.registry(),
        error.message
    );
    ErrorResponse {
        message,
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: ErrorCode::Unsupported.as_str().into(),
        blame: Blame::Registry,
        ..error
    }
    .with_header(ALLOW, "GET, HEAD, PUT")
}

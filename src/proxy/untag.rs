//! Deleting by tag where the registry deletes by digest only.

use bytes::Bytes;
use http::{Method, StatusCode, request};

use super::Proxy;
use super::call::Call;
use super::document;
use super::exchange::Timing;
use super::failure::Failure;
use super::headers::DOCKER_CONTENT_DIGEST;
use super::outbound::Outbound;
use super::pipeline;
use super::redirect::Landing;
use super::refusal;
use crate::net::body::drain;
use crate::observe::blame::Step;
use crate::observe::record::Record;
use crate::oci::operation::Operation;
use crate::oci::reference::{Digest, Reference};
use crate::profile::Delete;

/// `call`, naming the digest that its tag stands for at this moment, where the registry wants that.
pub async fn resolve(
    proxy: &Proxy,
    call: Call,
    head: &request::Parts,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Call, Failure> {
    let by_digest = matches!(call.routed.upstream.profile().delete, Delete::ByDigest(_));
    let (name, tag) = match &call.operation {
        Operation::DeleteManifest(name, tag @ Reference::Tag(_)) if by_digest => (name.clone(), tag.clone()),
        _ => return Ok(call),
    };
    let operation = Operation::ReadManifest(name.clone(), tag);
    let look = Call { operation, method: Method::HEAD, ..call.clone() };
    let outbound = Outbound::of(proxy, &look, &head.headers, Bytes::new())?;
    let landing = pipeline::fetch(proxy, &look, &outbound, record, timing).await?;
    let (Landing::Registry(response) | Landing::Elsewhere(response)) = landing else {
        return Err(document::unusable(&look, "it redirects where a manifest should be"));
    };
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(refusal::normalized(&look, &head, body, Step::Registry).await);
    }
    drain(body).await;
    let digest = head.headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| Digest::parse(value.to_str().ok()?).ok());
    let digest = digest.ok_or_else(|| document::unusable(&look, "it does not say which digest the tag stands for"))?;
    Ok(Call { operation: Operation::DeleteManifest(name, Reference::Digest(digest)), ..call })
}

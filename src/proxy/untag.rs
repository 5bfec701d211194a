//! Deleting by tag where the registry deletes by digest only.

use bytes::Bytes;
use http::{Method, request};

use super::Proxy;
use super::call::Call;
use super::document;
use super::exchange::Timing;
use super::failure::Failure;
use super::headers::DOCKER_CONTENT_DIGEST;
use super::outbound::Outbound;
use super::pipeline;
use crate::net::body::drain;
use crate::observe::record::Record;
use crate::oci::operation::Operation;
use crate::oci::reference::{Digest, Reference};

/// `call`, naming the digest that its tag stands for at this moment, where the registry wants that.
pub async fn resolve(
    proxy: &Proxy,
    call: Call,
    head: &request::Parts,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Call, Failure> {
    let (name, tag) = match &call.operation {
        Operation::DeleteManifest(name, tag @ Reference::Tag(_)) if call.by_digest => (name.clone(), tag.clone()),
        _ => return Ok(call),
    };
    let operation = Operation::ReadManifest(name.clone(), tag);
    let look = Call { operation, method: Method::HEAD, ..call.clone() };
    let outbound = Outbound::of(proxy, &look, &head.headers, Bytes::new())?;
    let (head, body) = pipeline::look(proxy, &look, &outbound, record, timing).await?;
    drain(body).await;
    let digest = head.headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| Digest::parse(value.to_str().ok()?).ok());
    let digest = digest.ok_or_else(|| document::unusable(&look, "it does not say which digest the tag stands for"))?;
    Ok(Call { operation: Operation::DeleteManifest(name, Reference::Digest(digest)), ..call })
}

//! The PUT that ends an upload.

use http::{Method, Response};
use hyper::body::Incoming;

use super::super::failure::Failure;
use super::Upload;
use super::chunk::Way;
use super::seal::Stage;
use super::step::Early;
use crate::net::body::StreamBody;
use crate::net::payload::Payload;
use crate::oci::query::Query;
use crate::oci::reference::Digest;

impl Upload<'_> {
    /// Ends the upload; a body that is more than the registry takes with the PUT goes before it by PATCH.
    pub(super) async fn finish(
        &mut self,
        stage: Stage,
        digest: &Digest,
        body: Incoming,
    ) -> Result<Response<StreamBody>, Failure> {
        let query = self.call.query.clone();
        if let Some(id) = stage.kept {
            return self.finish_kept((stage, id), digest, &query, body).await;
        }
        if let Way::InPieces { first, size } = self.way(&stage, None, &body) {
            let (_, stage) = self.send_pieces(stage, &without_digest(&query), body, (first, size)).await?;
            return self.put(stage, digest, &query, Payload::none()).await;
        }
        let payload = self.payload(body);
        self.put(stage, digest, &query, payload).await
    }

    pub(super) async fn put(
        &mut self,
        mut stage: Stage,
        digest: &Digest,
        query: &Query,
        mut payload: Payload,
    ) -> Result<Response<StreamBody>, Failure> {
        let longest = self.call.routed.upstream.profile().uploads.longest_put;
        if let Payload::Streamed(spool) = &payload
            && longest.is_some_and(|longest| spool.length().is_none_or(|length| length > longest))
        {
            (_, stage) = self.patch(stage, &without_digest(query), payload, None).await?;
            payload = Payload::none();
        }
        let head = self.send(Method::PUT, &stage.with_query(query), payload, None, Early::Wrong).await?;
        self.created(&head, digest)
    }
}

fn without_digest(query: &Query) -> Query {
    let mut query = query.clone();
    query.remove("digest");
    query
}

//! The PUT that completes an upload.

use http::{Method, Response};
use http_body::Body as _;
use hyper::body::Incoming;

use super::super::error_response::ErrorResponse;
use super::Upload;
use super::delivery_choice::Delivery;
use super::encrypted_session::UploadSession;
use super::send::EarlyResponse;
use crate::net::body::StreamBody;
use crate::net::spool::Payload;
use crate::oci::query::Query;
use crate::oci::reference::Digest;

impl Upload<'_> {
    /// Handles the PUT of the client.
    pub(super) async fn finish(
        &mut self,
        session: UploadSession,
        digest: &Digest,
        body: Incoming,
    ) -> Result<Response<StreamBody>, ErrorResponse> {
        let query = self.call.query.clone();
        let is_empty = body.size_hint().exact() == Some(0);
        // A malformed Content-Range is ignored, because registries do not read that of a PUT.
        let range = self.content_range().ok().flatten().filter(|_| !is_empty);
        let session = self.check_order(session, range).await?;
        if let Some(id) = session.buffer {
            return self.finish_buffered((session, id), digest, &query, body).await;
        }
        if let Delivery::InChunks { first, size } = self.delivery(&session, None, &body) {
            let (_, session) = self.send_in_chunks(session, &without_digest(&query), body, (first, size)).await?;
            return self.put(session, digest, &query, Payload::empty()).await;
        }
        let payload = self.streamed_payload(body);
        self.put(session, digest, &query, payload).await
    }

    /// Sends the PUT to the registry. Where the registry limits the body of a PUT, a streamed body that is larger, or of
    /// unknown length, is sent in a PATCH before.
    pub(super) async fn put(
        &mut self,
        mut session: UploadSession,
        digest: &Digest,
        query: &Query,
        mut payload: Payload,
    ) -> Result<Response<StreamBody>, ErrorResponse> {
        let max_bytes = self.call.routed.upstream.profile().uploads.max_put_bytes;
        if let Payload::Streamed(spool) = &payload
            && max_bytes.is_some_and(|max_bytes| spool.length().is_none_or(|length| length > max_bytes))
        {
            (_, session) = self.patch(session, &without_digest(query), payload, None).await?;
            payload = Payload::empty();
        }
        let head = self.send(Method::PUT, &session.with_query(query), payload, None, EarlyResponse::Rejected).await?;
        self.created(&head, digest)
    }
}

fn without_digest(query: &Query) -> Query {
    let mut query = query.clone();
    query.remove("digest");
    query
}

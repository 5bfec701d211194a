//! The status and the cancellation of an upload.

use http::{HeaderMap, Method, Response, StatusCode};

use super::super::error_response::ErrorResponse;
use super::Upload;
use super::buffered::BUFFER_GONE;
use super::encrypted_session::UploadSession;
use super::response::unknown_upload;
use super::send::{EarlyResponse, received_bytes};
use crate::net::body::StreamBody;
use crate::net::spool::Payload;

impl Upload<'_> {
    /// Handles a status request.
    pub(super) async fn status(&mut self, session: UploadSession) -> Result<Response<StreamBody>, ErrorResponse> {
        if let Some(id) = session.buffer {
            let received = self.proxy.uploads.buffered.length(id).ok_or_else(|| unknown_upload(BUFFER_GONE))?;
            return self
                .in_progress(StatusCode::NO_CONTENT, &HeaderMap::new(), &UploadSession { received, ..session })
                .await;
        }
        let (headers, session) = self.registry_status(session).await?;
        self.in_progress(StatusCode::NO_CONTENT, &headers, &session).await
    }

    /// Requests the status of an upload. Returns the headers of the response and the session to continue with. Some
    /// registries report fewer bytes than they have received (ECR), so the session's own count is the minimum.
    pub(super) async fn registry_status(
        &mut self,
        session: UploadSession,
    ) -> Result<(HeaderMap, UploadSession), ErrorResponse> {
        let target = session.with_query(&self.call.query);
        let head = self.send(Method::GET, &target, Payload::empty(), None, EarlyResponse::Accepted).await?;
        let received = received_bytes(&head.headers).unwrap_or(0).max(session.received);
        // Most registries report `0-0` for an empty upload.
        let received = if session.received == 0 && received == 1 { 0 } else { received };
        let session = self.next_session(&head, &session, received)?;
        Ok((head.headers, session))
    }

    /// Handles a cancellation: discards buffered chunks and cancels the upload at the registry.
    pub(super) async fn cancel(&mut self, session: UploadSession) -> Result<Response<StreamBody>, ErrorResponse> {
        if let Some(id) = session.buffer {
            self.proxy.uploads.buffered.discard(id);
        }
        let target = session.with_query(&self.call.query);
        self.send(Method::DELETE, &target, Payload::empty(), None, EarlyResponse::Accepted).await?;
        Ok(Self::cancelled())
    }
}

//! The POST that starts an upload: a session, a mount, or a whole blob in one request.

use http::{Method, Response, StatusCode, response};
use hyper::body::Incoming;

use super::super::classify::requirements;
use super::super::error_response::ErrorResponse;
use super::Upload;
use super::encrypted_session::UploadSession;
use super::send::EarlyResponse;
use crate::net::body::StreamBody;
use crate::net::spool::Payload;
use crate::observe::blame::Step as BlamedStep;
use crate::oci::operation::{Operation, UploadStart};
use crate::oci::query::Query;
use crate::oci::reference::Digest;
use crate::profile::Mounts;

impl Upload<'_> {
    /// Handles the POST of the client.
    pub(super) async fn start(
        &mut self,
        start: UploadStart,
        body: Incoming,
    ) -> Result<Response<StreamBody>, ErrorResponse> {
        match start {
            UploadStart::Session => self.start_session().await,
            UploadStart::Mount { digest, from } => self.mount(&digest, from.is_some()).await,
            UploadStart::SinglePost(digest) => self.single_post(&digest, body).await,
        }
    }

    async fn start_session(&mut self) -> Result<Response<StreamBody>, ErrorResponse> {
        let query = self.call.query.clone();
        let (head, session) = self.open_upstream_session(&query).await?;
        self.in_progress(StatusCode::ACCEPTED, &head.headers, &session).await
    }

    /// Mounts a blob from another repository. If the profile rules that out, or the token service or the registry
    /// rejects it, a plain upload starts instead: the client may lack access to the source repository and
    /// still be allowed to push.
    async fn mount(&mut self, digest: &Digest, has_source: bool) -> Result<Response<StreamBody>, ErrorResponse> {
        let is_supported = match self.call.routed.upstream.profile().uploads.mounts {
            Mounts::Supported => true,
            Mounts::SourceRequired => has_source,
        };
        if is_supported {
            let first = self.new_session(&self.call.query);
            match self.send(Method::POST, &first, Payload::empty(), None, EarlyResponse::Accepted).await {
                Ok(head) if head.status == StatusCode::CREATED => return self.created(&head, digest),
                Ok(head) => {
                    let session = self.next_session(&head, &first, 0)?;
                    return self.in_progress(StatusCode::ACCEPTED, &head.headers, &session).await;
                }
                Err(error) if !may_be_caused_by_source(&error) => return Err(error),
                Err(_) => {}
            }
        }
        self.drop_mount_source()?;
        self.start_session().await
    }

    /// Uploads a whole blob in one request. If the registry does not support that, by its profile or by its answer 202,
    /// the blob is sent by PUT.
    async fn single_post(&mut self, digest: &Digest, body: Incoming) -> Result<Response<StreamBody>, ErrorResponse> {
        let mut query = self.call.query.clone();
        if !self.call.routed.upstream.profile().uploads.accepts_single_post {
            query.remove("digest");
            let (_, session) = self.open_upstream_session(&query).await?;
            return self.finish(session, digest, body).await;
        }
        let payload = self.streamed_payload(body);
        let first = self.new_session(&query);
        let head = self.send(Method::POST, &first, payload.clone(), None, EarlyResponse::Accepted).await?;
        if head.status == StatusCode::CREATED {
            return self.created(&head, digest);
        }
        let session = self.next_session(&head, &first, 0)?;
        if let Payload::Streamed(spool) = &payload
            && spool.rewind().await.is_err()
        {
            // The registry discarded more than regpass can send again, so the client has to repeat the body.
            return self.in_progress(StatusCode::ACCEPTED, &head.headers, &session).await;
        }
        self.put(session, digest, &query, payload).await
    }

    /// Starts an upload session at the registry.
    async fn open_upstream_session(
        &mut self,
        query: &Query,
    ) -> Result<(response::Parts, UploadSession), ErrorResponse> {
        let first = self.new_session(query);
        let head = self.send(Method::POST, &first, Payload::empty(), None, EarlyResponse::Accepted).await?;
        let session = self.next_session(&head, &first, 0)?;
        Ok((head, session))
    }

    /// The session before the registry has started one: its URL is that of the POST.
    fn new_session(&self, query: &Query) -> UploadSession {
        let query = (!query.is_empty()).then(|| query.to_string());
        UploadSession {
            url: self.call.routed.upstream.url(&self.call.operation.path(), query),
            received: 0,
            buffer: None,
        }
    }

    /// Turns the mount into a plain upload.
    fn drop_mount_source(&mut self) -> Result<(), ErrorResponse> {
        let Operation::StartUpload(name, _) = &self.call.operation else { return Ok(()) };
        let operation = Operation::StartUpload(name.clone(), UploadStart::Session);
        for key in ["mount", "from"] {
            self.call.query.remove(key);
        }
        self.call.ask.scopes = requirements(&self.call.routed.upstream, &operation)?.scopes;
        self.call.operation = operation;
        Ok(())
    }
}

/// Whether a mount may have failed because of its source repository, so that an upload without it can succeed. Token
/// services reject a token for a second repository with various statuses (404 and 405, for example), which are 502 in
/// `error`.
fn may_be_caused_by_source(error: &ErrorResponse) -> bool {
    let is_token_error = error.step == BlamedStep::Token && error.status == StatusCode::BAD_GATEWAY;
    is_token_error || (error.status.is_client_error() && error.status != StatusCode::TOO_MANY_REQUESTS)
}

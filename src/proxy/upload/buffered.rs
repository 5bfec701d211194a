//! Uploads in chunks to a registry that does not accept chunks: regpass buffers them and sends one body at the end.

use std::time::Duration;

use dashmap::DashMap;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::super::error_response::{ErrorResponse, client_body_error};
use super::Upload;
use super::encrypted_session::{BufferId, UploadSession};
use super::response::unknown_upload;
use crate::net::body::StreamBody;
use crate::net::spool::{BufferError, Payload, Spool, SpoolError};
use crate::observe::blame::{Blame, Step};
use crate::oci::content_range::ContentRange;
use crate::oci::error::ErrorCode;
use crate::oci::query::Query;
use crate::oci::reference::Digest;

/// The buffered chunks of unfinished uploads.
#[derive(Debug, Default)]
pub(super) struct BufferedUploads(DashMap<BufferId, BufferedUpload>);

#[derive(Debug)]
struct BufferedUpload {
    spool: Spool,
    /// Bytes that the registry received before the buffered ones.
    at_registry: u64,
    /// Bytes of the upload so far, those at the registry included.
    length: u64,
    updated: Instant,
}

impl BufferedUploads {
    /// Bytes of the upload so far; `None` if this process buffers none of its chunks.
    pub(super) fn length(&self, id: BufferId) -> Option<u64> {
        self.0.get(&id).map(|upload| upload.length)
    }

    pub(super) fn discard(&self, id: BufferId) {
        self.0.remove(&id);
    }

    /// Removes and returns the chunks and the number of bytes at the registry, if the upload has `length` bytes so far.
    fn take(&self, id: BufferId, length: u64) -> Option<(Spool, u64)> {
        let taken = self.0.remove_if(&id, |_, upload| upload.length == length);
        taken.map(|(_, upload)| (upload.spool, upload.at_registry))
    }

    fn put(&self, id: BufferId, spool: Spool, at_registry: u64, length: u64) {
        self.0.insert(id, BufferedUpload { spool, at_registry, length, updated: Instant::now() });
    }

    /// Discards abandoned uploads and returns whether one more can be buffered.
    fn has_room(&self) -> bool {
        let now = Instant::now();
        self.0.retain(|_, upload| now < upload.updated + BUFFER_LIFETIME);
        self.0.len() < MAX_BUFFERED_UPLOADS
    }
}

impl Upload<'_> {
    /// Buffers a chunk, which must begin where the last one ended.
    pub(super) async fn buffer_chunk(
        &mut self,
        session: UploadSession,
        body: Incoming,
        range: Option<ContentRange>,
    ) -> Result<(HeaderMap, UploadSession), ErrorResponse> {
        if range.is_some_and(|range| range.first != session.received) {
            return Err(self.out_of_order_error(&session).await);
        }
        if session.buffer.is_some_and(|id| self.proxy.uploads.buffered.length(id) != Some(session.received)) {
            return Err(unknown_upload(BUFFER_GONE));
        }
        // Only a denial matters now: the PUT at the end of the upload needs the authorization.
        match self.settle(&session, Some(0)).await {
            Err(error) if error.status == StatusCode::FORBIDDEN => return Err(error),
            _ => self.settled = None,
        }
        let (spool, at_registry) = match session.buffer {
            Some(id) => self.append_to_buffer(id, session.received, body).await?,
            None => (self.new_spool(body), session.received),
        };
        self.store_buffer(session, spool, at_registry).await
    }

    /// The buffered chunks with `body` appended, and the number of bytes at the registry before them.
    async fn append_to_buffer(
        &mut self,
        id: BufferId,
        received: u64,
        body: Incoming,
    ) -> Result<(Spool, u64), ErrorResponse> {
        let buffered = self.proxy.uploads.buffered.take(id, received);
        let (earlier, at_registry) = buffered.ok_or_else(|| unknown_upload(BUFFER_GONE))?;
        Ok((self.track_body(earlier.followed_by(body, self.progress.clone()).await), at_registry))
    }

    /// Forwards a PATCH, because most clients send only one per blob. If the registry accepts no second PATCH, or none
    /// at all, the chunk is buffered until the PUT.
    pub(super) async fn send_single_chunk(
        &mut self,
        session: UploadSession,
        query: &Query,
        body: Incoming,
    ) -> Result<(HeaderMap, UploadSession), ErrorResponse> {
        let payload = self.streamed_payload(body);
        let error = match self.patch(session.clone(), query, payload.clone(), None).await {
            Ok(sent) => return Ok(sent),
            Err(error) => error,
        };
        let rejects_patch =
            error.step == Step::Registry && matches!(error.status.as_u16(), 400 | 404 | 405 | 413 | 416 | 501);
        match payload {
            Payload::Streamed(spool) if rejects_patch && spool.rewind().await.is_ok() => {
                let at_registry = session.received;
                self.store_buffer(session, spool, at_registry).await
            }
            _ => Err(error),
        }
    }

    /// Reads the rest of the body into `spool` and stores it. The registry already has the first `at_registry` bytes of
    /// the upload.
    async fn store_buffer(
        &mut self,
        session: UploadSession,
        spool: Spool,
        at_registry: u64,
    ) -> Result<(HeaderMap, UploadSession), ErrorResponse> {
        let buffered = &self.proxy.uploads.buffered;
        if !buffered.has_room() {
            return Err(self.no_space_error(&format!("{MAX_BUFFERED_UPLOADS} uploads are buffered already")));
        }
        let length = at_registry
            + spool.buffer_whole().await.map_err(|why| match why {
                BufferError::Client(fault) => client_body_error(fault),
                BufferError::NotReplayable(error) => match error.why {
                    SpoolError::BodyTooLarge(limit) => self.too_large_error(limit),
                    SpoolError::NoSpaceLeft | SpoolError::Unwritable(_) => self.no_space_error(&error.why.to_string()),
                },
                BufferError::Read(why) => self.internal_error(&format!("cannot read the buffered chunks: {why}")),
            })?;
        let id = session.buffer.unwrap_or_else(|| BufferId(fastrand::u128(..)));
        buffered.put(id, spool, at_registry, length);
        Ok((HeaderMap::new(), UploadSession { received: length, buffer: Some(id), ..session }))
    }

    /// Sends the buffered chunks and the last body in one PUT.
    pub(super) async fn finish_buffered(
        &mut self,
        (session, id): (UploadSession, BufferId),
        digest: &Digest,
        query: &Query,
        body: Incoming,
    ) -> Result<Response<StreamBody>, ErrorResponse> {
        let (spool, _) = self.append_to_buffer(id, session.received, body).await?;
        self.put(session, digest, query, Payload::Streamed(spool)).await
    }

    fn too_large_error(&self, limit: u64) -> ErrorResponse {
        let message = format!(
            "{} accepts no chunks, and regpass buffers at most {limit} bytes of an upload to send them in one request; send the blob in one request, or raise `upload_spool`",
            self.call.registry()
        );
        let (status, code) = (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid);
        ErrorResponse::new(status, code, Blame::Configuration, Step::Transfer, message)
    }

    fn no_space_error(&self, why: &str) -> ErrorResponse {
        let message = format!(
            "{} accepts no chunks, and regpass cannot buffer these: {why}; try again later",
            self.call.registry()
        );
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
        ErrorResponse::new(status, code, Blame::Proxy, Step::Transfer, message).with_header(RETRY_AFTER, "60")
    }
}

pub(super) const BUFFER_GONE: &str =
    "the chunks of this upload are buffered by another regpass process, have expired, or were taken by another request";
/// Time without a new chunk after which an upload is considered abandoned.
const BUFFER_LIFETIME: Duration = Duration::from_secs(3600);
const MAX_BUFFERED_UPLOADS: usize = 64;

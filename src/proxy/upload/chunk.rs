//! Handles the PATCH of an upload, which brings a chunk of the blob.

use http::header::{CONTENT_RANGE, RETRY_AFTER};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::super::error_response::{ErrorResponse, client_body_error};
use super::Upload;
use super::body_splitter::BodySplitter;
use super::delivery_choice::Delivery;
use super::encrypted_session::UploadSession;
use super::send::{EarlyResponse, received_bytes};
use crate::net::body::StreamBody;
use crate::net::spool::Payload;
use crate::observe::blame::{Blame, Step};
use crate::oci::content_range::ContentRange;
use crate::oci::error::ErrorCode;
use crate::oci::query::Query;

impl Upload<'_> {
    /// Handles a PATCH of the client.
    pub(super) async fn chunk(
        &mut self,
        session: UploadSession,
        body: Incoming,
    ) -> Result<Response<StreamBody>, ErrorResponse> {
        let range = self.content_range()?;
        let query = self.call.query.clone();
        let delivery = self.delivery(&session, range, &body);
        let session = match delivery {
            Delivery::Buffered => session,
            _ => self.check_order(session, range).await?,
        };
        let (headers, session) = match delivery {
            Delivery::Buffered => {
                check_range(range, &body)?;
                self.buffer_chunk(session, body, range).await?
            }
            Delivery::SingleChunk => self.send_single_chunk(session, &query, body).await?,
            Delivery::InChunks { first, size } => {
                check_range(range, &body)?;
                self.send_in_chunks(session, &query, body, (first, size)).await?
            }
            Delivery::Streamed => {
                let payload = self.streamed_payload(body);
                self.patch(session, &query, payload, range).await?
            }
        };
        self.in_progress(StatusCode::ACCEPTED, &headers, &session).await
    }

    /// Rejects a chunk that does not begin where the upload ends. Not every registry does: distribution 2 appends it
    /// (docker-registry 2.8.2, observed 2026-11-29). A chunk that begins later may continue one of which the registry has
    /// stored a part without an acknowledgement, so the registry is asked.
    pub(super) async fn check_order(
        &mut self,
        session: UploadSession,
        range: Option<ContentRange>,
    ) -> Result<UploadSession, ErrorResponse> {
        let current = match range {
            Some(range) if range.first > session.received && session.buffer.is_none() => {
                match self.registry_status(session.clone()).await {
                    Ok((_, current)) => current,
                    Err(error) if is_unsupported(error.status) => session,
                    Err(error) => return Err(error),
                }
            }
            _ => session,
        };
        match range {
            Some(range) if range.first != current.received => Err(self.out_of_order_error(&current).await),
            _ => Ok(current),
        }
    }

    /// Sends one PATCH to the registry. Returns the headers of the response and the session to continue with.
    pub(super) async fn patch(
        &mut self,
        session: UploadSession,
        query: &Query,
        payload: Payload,
        range: Option<ContentRange>,
    ) -> Result<(HeaderMap, UploadSession), ErrorResponse> {
        let target = session.with_query(query);
        let head = self.send(Method::PATCH, &target, payload.clone(), range, EarlyResponse::Rejected).await?;
        let sent = match &payload {
            Payload::Buffered(bytes) => bytes.len() as u64,
            Payload::Streamed(spool) => spool.bytes_sent(),
        };
        // The registry may report fewer bytes than it has received (ECR, old Zot).
        let by_range = range.map_or(session.received, |range| range.first) + sent;
        let received = received_bytes(&head.headers).unwrap_or(by_range).max(session.received + sent);
        let session = self.next_session(&head, &session, received)?;
        Ok((head.headers, session))
    }

    /// Sends a body in PATCH requests of `size` bytes, the first of which begins at byte `first` of the blob. Only one
    /// chunk is in memory at a time.
    pub(super) async fn send_in_chunks(
        &mut self,
        mut session: UploadSession,
        query: &Query,
        body: Incoming,
        (mut first, size): (u64, u64),
    ) -> Result<(HeaderMap, UploadSession), ErrorResponse> {
        let size = usize::try_from(size).map_err(|_| self.internal_error("the chunk size does not fit into memory"))?;
        let upstream = self.call.routed.upstream.clone();
        self.settle(&session, Some(body.size_hint().upper().unwrap_or(u64::MAX).min(size as u64))).await?;
        let slot = timeout(upstream.timeouts.response_head, upstream.chunking_slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else { return Err(self.too_many_chunked_error()) };
        let mut chunks = BodySplitter::new(body, upstream.timeouts.body_idle, self.progress.clone());
        let mut headers = HeaderMap::new();
        while let Some(chunk) = chunks.next(size).await.map_err(client_body_error)? {
            let sent = chunk.len() as u64;
            let range = ContentRange::of(first, sent);
            (headers, session) = self.patch(session, query, Payload::Buffered(chunk), range).await?;
            self.record.sent += sent;
            first += sent;
        }
        Ok((headers, session))
    }

    fn too_many_chunked_error(&self) -> ErrorResponse {
        let message =
            format!("{}: too many uploads are being split into chunks; try again later", self.call.registry());
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
        ErrorResponse::new(status, code, Blame::Proxy, Step::Transfer, message).with_header(RETRY_AFTER, "5")
    }

    pub(super) async fn out_of_order_error(&self, session: &UploadSession) -> ErrorResponse {
        let message =
            format!("chunk out of order: it must begin at byte {}, where the last one ended", session.received);
        let (status, code) = (StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::RangeInvalid);
        let mut error = ErrorResponse::new(status, code, Blame::Client, Step::Classify, message);
        self.add_session_location(session, &mut error).await;
        error
    }

    pub(super) fn content_range(&self) -> Result<Option<ContentRange>, ErrorResponse> {
        let Some(value) = self.head.headers.get(CONTENT_RANGE) else { return Ok(None) };
        let parsed = value.to_str().ok().and_then(|value| ContentRange::parse(value).ok());
        parsed.map(Some).ok_or_else(|| {
            let message = "chunk rejected: its Content-Range is not of the form <first>-<last>";
            let status = StatusCode::BAD_REQUEST;
            ErrorResponse::new(status, ErrorCode::BlobUploadInvalid, Blame::Client, Step::Classify, message)
        })
    }
}

/// Whether a registry does not report the status of uploads.
fn is_unsupported(status: StatusCode) -> bool {
    matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
}

/// Checks `Content-Range` against the length of a chunk that regpass splits or buffers. For a streamed chunk the
/// registry does so.
fn check_range(range: Option<ContentRange>, body: &Incoming) -> Result<(), ErrorResponse> {
    let (expected, length) = (range.map(ContentRange::length), body.size_hint().exact());
    let (Some(expected), Some(length)) = (expected, length.filter(|length| expected != Some(*length))) else {
        return Ok(());
    };
    let message = format!("chunk rejected: the body is {length} bytes but Content-Range says {expected}");
    let status = StatusCode::BAD_REQUEST;
    Err(ErrorResponse::new(status, ErrorCode::SizeInvalid, Blame::Client, Step::Classify, message))
}

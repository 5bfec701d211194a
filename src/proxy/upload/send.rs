//! Sends one request of an upload to the registry and checks the response.

use std::sync::Arc;
use std::time::Duration;

use http::header::{LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};
use tokio::time::Instant;

use super::super::error_response::ErrorResponse;
use super::super::exchange::exchange_settled;
use super::super::registry_error;
use super::super::send;
use super::super::upstream_request::UpstreamRequest;
use super::Upload;
use super::encrypted_session::UploadSession;
use super::registry_location;
use crate::net::body::drain;
use crate::net::spool::Payload;
use crate::observe::blame::{Blame, Step};
use crate::oci::content_range::{self, ContentRange};
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;

/// Whether a success that arrives before the whole body was sent is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EarlyResponse {
    /// Accepted, because the registry may have ignored the body and only started a session. An early 201 Created is
    /// rejected all the same: it claims to have stored the body.
    Accepted,
    /// Rejected: the registry cannot have received the whole body.
    Rejected,
}

impl Upload<'_> {
    /// Sends a request to the URL of `session` and returns the head of a successful response.
    pub(super) async fn send(
        &mut self,
        method: Method,
        session: &UploadSession,
        payload: Payload,
        range: Option<ContentRange>,
        early: EarlyResponse,
    ) -> Result<response::Parts, ErrorResponse> {
        let upstream = self.call.routed.upstream.clone();
        let length = payload.length();
        self.call.ask.min_lifetime = upstream.upload_rate.expected_duration(length);
        let is_last = method == Method::PUT;
        let to = (method, &session.url);
        let mut request =
            UpstreamRequest::for_upload(self.proxy, &self.call, &self.head.headers, to, payload.clone(), range)?;
        if is_last {
            // The registry reads the whole blob again to verify its digest.
            let size = session.received.saturating_add(length.unwrap_or(0));
            request.allowance = Duration::from_secs(size / VERIFIED_BYTES_PER_SECOND).min(MAX_VERIFICATION_TIME);
            self.progress.allow_extra(request.allowance);
        }
        let started = Instant::now();
        let outcome = self.exchange(&request).await;
        // Restarts the timeout, which may still be paused for the client's body.
        self.progress.record();
        if let Payload::Streamed(spool) = &payload {
            self.record.sent += spool.bytes_sent();
            if spool.is_fully_sent() {
                upstream.upload_rate.record(spool.bytes_sent(), started.elapsed());
            }
        }
        let (head, body) = outcome?.into_parts();
        if head.status.is_redirection() || head.status.is_informational() {
            return Err(self.unusable_response(&format!("it answered {} to an upload request", head.status)));
        }
        if !head.status.is_success() {
            let mut error = registry_error::from_response(&self.call, &head, body, Step::Registry).await;
            self.add_resume_position(&head, session, &mut error).await;
            if error.status == StatusCode::FORBIDDEN && request.url.origin != upstream.origin {
                let origin = &request.url.origin;
                let why = format!("regpass sends no credential to {origin}, which `upload_hosts` lists");
                error.message = format!("{} ({why})", error.message);
            }
            return Err(error);
        }
        drain(body).await;
        if let Payload::Streamed(spool) = &payload
            && (early == EarlyResponse::Rejected || head.status == StatusCode::CREATED)
            && !spool.is_fully_sent()
        {
            return Err(
                self.unusable_response(&format!("it answered {} before it received the whole body", head.status))
            );
        }
        Ok(head)
    }

    /// Sends with authorization to the registry's own origin, and without any to another.
    async fn exchange(
        &mut self,
        request: &UpstreamRequest,
    ) -> Result<http::Response<hyper::body::Incoming>, ErrorResponse> {
        if request.url.origin == self.call.routed.upstream.origin {
            let settled = self.settled.take();
            return exchange_settled(self.proxy, &self.call, request, settled, self.record).await;
        }
        let peer = format!("the upload host {} of {}", request.url.origin, self.call.registry());
        let to = (&request.url, request.allowance);
        send::send(
            &self.call,
            request.without_authorization(),
            to,
            (Step::Registry, &peer),
            Arc::default(),
            self.record,
        )
        .await
    }

    /// The session after a successful response, with `received` bytes at the registry. The response to the start of an
    /// upload must have a `Location`; later ones without it keep the URL.
    pub(super) fn next_session(
        &self,
        head: &response::Parts,
        session: &UploadSession,
        received: u64,
    ) -> Result<UploadSession, ErrorResponse> {
        let upstream = &self.call.routed.upstream;
        let is_start = matches!(self.call.operation, Operation::StartUpload(..));
        let url = match registry_location::next(upstream, &session.url, &head.headers)? {
            Some(url) => url,
            None if is_start => return Err(self.unusable_response("it started an upload without a Location")),
            None => session.url.clone(),
        };
        Ok(UploadSession { url, received, buffer: session.buffer })
    }

    /// Adds `Location` and `Range` to a 416, so that the client can resume (distribution specification, 416).
    async fn add_resume_position(&self, head: &response::Parts, session: &UploadSession, error: &mut ErrorResponse) {
        if head.status != StatusCode::RANGE_NOT_SATISFIABLE {
            return;
        }
        let received = received_bytes(&head.headers).unwrap_or(session.received);
        if let Ok(next) = self.next_session(head, session, received) {
            self.add_session_location(&next, error).await;
        }
    }

    /// Adds the `Location` and `Range` of `session` to an error.
    pub(super) async fn add_session_location(&self, session: &UploadSession, error: &mut ErrorResponse) {
        let location =
            self.session_location(session).await.ok().and_then(|location| HeaderValue::try_from(location).ok());
        error.headers.extend(location.map(|location| (LOCATION, location)));
        error.headers.extend(
            HeaderValue::try_from(content_range::upload_progress(session.received)).map(|range| (RANGE, range)),
        );
    }

    pub(super) fn unusable_response(&self, why: &str) -> ErrorResponse {
        let message = format!("upload failed: unusable response from {}: {why}", self.call.registry());
        ErrorResponse::new(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, Blame::Registry, Step::Registry, message)
    }
}

/// The number of bytes that the registry reports to have received.
pub(super) fn received_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(content_range::uploaded_bytes)
}

/// Rate at which a registry is assumed to verify a blob; real storage is faster.
const VERIFIED_BYTES_PER_SECOND: u64 = 16 * 1024 * 1024;
/// Maximum extra time for the response to a PUT. A limit is needed, because clients and registries determine the size.
const MAX_VERIFICATION_TIME: Duration = Duration::from_secs(60 * 60);

//! Blob uploads: turns the requests of any client into those that the registry accepts.
//!
//! ```text
//! POST start ──▶ UploadSession ──▶ PATCH chunk ──▶ UploadSession ──▶ … ──▶ PUT finish ──▶ 201
//!        │         encrypted in        │                                      │
//!        │         Location            └─ streamed, split into chunks         └─ streamed, or
//!        └─ mount, single POST            or buffered until the PUT              after a PATCH
//! ```

mod body_splitter;
mod buffered;
mod chunk;
mod delivery_choice;
pub mod encrypted_session;
mod finish;
mod registry_location;
mod response;
mod send;
mod start;
mod status;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Response, StatusCode, Version, request};
use http_body::Body as _;
use hyper::body::Incoming;

use super::Proxy;
use super::classify::{Call, requirements};
use super::error_response::ErrorResponse;
use super::exchange;
use crate::auth::authorizer::AuthAttempt;
use crate::credential::secret_reader::SecretReader;
use crate::net::body::StreamBody;
use crate::net::progress::Progress;
use crate::net::spool::{Payload, Spool, SpoolSpace};
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::{BodyKind, Operation, UploadStep};
use buffered::BufferedUploads;
use encrypted_session::{SessionKeys, UploadSession};

/// The state that all uploads of a process share.
#[derive(Debug)]
pub struct Uploads {
    session_keys: ArcSwap<SessionKeys>,
    spool_space: ArcSwap<SpoolSpace>,
    buffered: BufferedUploads,
}

impl Uploads {
    /// `spool` is the maximum number of bytes of one body that regpass stores in a file to send it again.
    pub fn new(session_keys: SessionKeys, spool: u64) -> Self {
        Self {
            session_keys: ArcSwap::from_pointee(session_keys),
            spool_space: ArcSwap::from_pointee(SpoolSpace::new(spool)),
            buffered: BufferedUploads::default(),
        }
    }

    /// Bytes of request bodies in spool files now. After a change of the spool size, earlier bodies do not count.
    pub fn spooled(&self) -> u64 {
        self.spool_space.load().used()
    }

    /// Replaces keys and spool size by those of a new configuration.
    pub fn reconfigure(&self, keys: Vec<Arc<SecretReader>>, spool: u64) {
        self.session_keys.store(Arc::new(self.session_keys.load().with_keys(keys)));
        if self.spool_space.load().per_body() != spool {
            self.spool_space.store(Arc::new(SpoolSpace::new(spool)));
        }
    }
}

/// One client request of an upload.
struct Upload<'a> {
    proxy: &'a Proxy,
    call: Call,
    head: &'a request::Parts,
    progress: &'a Progress,
    record: &'a mut Record,
    /// The client's body; `None` until regpass reads it.
    spool: Option<Spool>,
    /// The authorization of the next request to the registry, if it had to be settled before the body was read.
    settled: Option<AuthAttempt>,
}

/// Handles one client request of an upload.
pub async fn serve(
    proxy: &Proxy,
    call: Call,
    head: &request::Parts,
    body: Incoming,
    progress: &Progress,
    record: &mut Record,
) -> Result<Response<StreamBody>, ErrorResponse> {
    let operation = call.operation.clone();
    let mut upload = Upload { proxy, call, head, progress, record, spool: None, settled: None };
    match operation {
        Operation::StartUpload(_, start) => {
            upload.identify_registry().await?;
            upload.start(start, body).await
        }
        Operation::ContinueUpload(_, session, step) => {
            let session = upload.open_session(&session).await?;
            upload.identify_registry().await?;
            match step {
                UploadStep::Status => upload.status(session).await,
                UploadStep::Chunk => upload.chunk(session, body).await,
                UploadStep::Finish(digest) => upload.finish(session, &digest, body).await,
                UploadStep::Cancel => upload.cancel(session).await,
            }
        }
        _ => Err(upload.internal_error("this operation is not an upload")),
    }
}

/// Rejects an HTTP/1.0 request of an operation with a body if it has no length: regpass could not detect a truncated
/// body.
pub fn check_length(operation: &Operation, head: &request::Parts) -> Result<(), ErrorResponse> {
    let has_length = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| head.headers.contains_key(name));
    if head.version != Version::HTTP_10 || has_length || operation.body_kind() == BodyKind::Empty {
        return Ok(());
    }
    let message = "a request with a body needs a Content-Length in HTTP/1.0; send one, or use HTTP/1.1";
    Err(ErrorResponse::new(StatusCode::LENGTH_REQUIRED, ErrorCode::SizeInvalid, Blame::Client, Step::Classify, message))
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if let Some(spool) = &self.spool {
            spool.close();
        }
    }
}

impl Upload<'_> {
    /// Detects the registry's profile if it is unknown, because the way to upload depends on the profile.
    async fn identify_registry(&mut self) -> Result<(), ErrorResponse> {
        let upstream = self.call.routed.upstream.clone();
        if upstream.profile_choice.is_undetected() {
            let identified = self.proxy.authorizer.identify_registry(&self.call.ask).await;
            identified.map_err(|error| ErrorResponse::from_auth(&error, self.call.registry()))?;
            self.call.ask.scopes = requirements(&upstream, &self.call.operation)?.scopes;
        }
        Ok(())
    }

    /// Settles the authorization of the next request for `session`, of which regpass will read `length` bytes of the
    /// body before it sends the request.
    async fn settle(&mut self, session: &UploadSession, length: Option<u64>) -> Result<(), ErrorResponse> {
        let upstream = self.call.routed.upstream.clone();
        if session.url.origin == upstream.origin {
            self.call.ask.min_lifetime = upstream.upload_rate.expected_duration(length);
            self.settled = Some(exchange::settle(self.proxy, &self.call, self.record).await?);
        }
        Ok(())
    }

    /// The client's body, to be streamed.
    fn streamed_payload(&mut self, body: Incoming) -> Payload {
        if body.size_hint().exact() == Some(0) {
            return Payload::empty();
        }
        Payload::Streamed(self.new_spool(body))
    }

    fn new_spool(&mut self, body: Incoming) -> Spool {
        let idle = self.call.routed.upstream.timeouts.body_idle;
        self.track_body(Spool::new(body, idle, self.progress.clone(), self.proxy.uploads.spool_space.load_full()))
    }

    /// Remembers the spool, so that the client's body is closed when its request ends.
    fn track_body(&mut self, spool: Spool) -> Spool {
        self.spool = Some(spool.clone());
        spool
    }

    /// An error of regpass itself.
    fn internal_error(&self, what: &str) -> ErrorResponse {
        let message = format!("regpass cannot handle the upload to {}: {what}", self.call.registry());
        ErrorResponse::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, Blame::Proxy, Step::Registry, message)
    }
}

//! Blob uploads: any client's way of sending a blob, turned into one the registry takes.
//!
//! ```text
//! POST  start ──▶ Stage ─sealed into Location─▶ PATCH chunk ──▶ Stage ─▶ … ─▶ PUT finish ──▶ 201
//!         │                                       │                             │
//!         └─ mount, whole blob                    └─ as it is, cut, or kept     └─ as it is, or PATCH first
//! ```

mod answer;
mod chunk;
mod finish;
mod keep;
mod location;
pub mod seal;
mod start;
mod step;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{StatusCode, Version, request};
use http_body::Body as _;
use hyper::body::Incoming;

use super::Proxy;
use super::call::{Call, requirements};
use super::exchange::Timing;
use super::failure::Failure;
use super::reply::Reply;
use crate::credential::secret::Reading;
use crate::net::payload::Payload;
use crate::net::progress::Progress;
use crate::net::spool::{Spool, SpoolSpace};
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::{BodyClass, Operation, UploadStep};
use keep::Kept;
use seal::Seal;

/// What all uploads of a process share.
#[derive(Debug)]
pub struct Uploads {
    seal: ArcSwap<Seal>,
    space: ArcSwap<SpoolSpace>,
    kept: Kept,
}

impl Uploads {
    /// `spool` is how many bytes of one body are kept for sending it again.
    pub fn new(seal: Seal, spool: u64) -> Self {
        let space = ArcSwap::from_pointee(SpoolSpace::new(spool));
        Self { seal: ArcSwap::from_pointee(seal), space, kept: Kept::default() }
    }

    /// How many bytes of bodies lie in files now, to be sent again if need be.
    pub fn spooled(&self) -> u64 {
        self.space.load().used()
    }

    /// Goes on under another configuration's keys and spool.
    pub fn reconfigure(&self, keys: Vec<Arc<Reading>>, spool: u64) {
        self.seal.store(Arc::new(self.seal.load().with_keys(keys)));
        if self.space.load().each() != spool {
            self.space.store(Arc::new(SpoolSpace::new(spool)));
        }
    }
}

/// One client request of an upload, with everything its steps need.
struct Upload<'a> {
    proxy: &'a Proxy,
    call: Call,
    head: &'a request::Parts,
    progress: &'a Progress,
    record: &'a mut Record,
    timing: &'a mut Timing,
    /// The client's body, once it is being sent.
    spool: Option<Spool>,
}

/// Answers one request of an upload.
pub async fn serve(
    proxy: &Proxy,
    call: Call,
    head: &request::Parts,
    body: Incoming,
    progress: &Progress,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Reply, Failure> {
    let operation = call.operation.clone();
    let mut upload = Upload { proxy, call, head, progress, record, timing, spool: None };
    let reply = match operation {
        Operation::StartUpload(_, start) => {
            upload.greet().await?;
            upload.start(start, body).await
        }
        Operation::ContinueUpload(_, session, step) => {
            let stage = upload.open(&session).await?;
            upload.greet().await?;
            match step {
                UploadStep::Status => upload.status(stage).await,
                UploadStep::Chunk => upload.chunk(stage, body).await,
                UploadStep::Finish(digest) => upload.finish(stage, &digest, body).await,
                UploadStep::Cancel => upload.cancel(stage).await,
            }
        }
        _ => return Err(upload.broken("this is no upload")),
    };
    reply.map(Reply::Ready)
}

/// A body without an end cannot be told from one that was cut off.
pub fn check_length(operation: &Operation, head: &request::Parts) -> Result<(), Failure> {
    let told = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| head.headers.contains_key(name));
    if head.version != Version::HTTP_10 || told || operation.body_class() == BodyClass::Empty {
        return Ok(());
    }
    let message = "a request with a body needs a Content-Length in HTTP/1.0; send one, or use HTTP/1.1";
    Err(Failure::new(StatusCode::LENGTH_REQUIRED, ErrorCode::SizeInvalid, Blame::Client, Step::Classify, message))
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if let Some(spool) = &self.spool {
            spool.close();
        }
    }
}

impl Upload<'_> {
    /// Finds out what kind of registry it is, where that is not known: everything that follows depends on it.
    async fn greet(&mut self) -> Result<(), Failure> {
        let upstream = self.call.routed.upstream.clone();
        if upstream.is_strange() {
            let greeted = self.proxy.authorizer.greet(&self.call.ask).await;
            greeted.map_err(|error| Failure::auth(&error, self.call.registry()))?;
            self.call.ask.scopes = requirements(&upstream, &self.call.operation)?.scopes;
        }
        Ok(())
    }

    /// The client's body, to be sent as it comes.
    fn payload(&mut self, body: Incoming) -> Payload {
        if body.size_hint().exact() == Some(0) {
            return Payload::none();
        }
        Payload::Streamed(self.spool(body))
    }

    fn spool(&mut self, body: Incoming) -> Spool {
        let idle = self.call.routed.upstream.timeouts.body_idle;
        self.lent(Spool::new(body, idle, self.progress.clone(), self.proxy.uploads.space.load_full()))
    }

    /// Lets go of the client with the end of its request, whatever the registry still has to read.
    fn lent(&mut self, spool: Spool) -> Spool {
        self.spool = Some(spool.clone());
        spool
    }

    /// A failure of regpass itself.
    fn broken(&self, what: &str) -> Failure {
        let message = format!("{}: {what}", self.call.registry());
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, Blame::Proxy, Step::Registry, message)
    }
}

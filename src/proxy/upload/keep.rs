//! Chunks for a registry that takes none: kept here, and sent as one body at the end.

use std::time::Duration;

use dashmap::DashMap;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::super::failure::{Failure, client_fault};
use super::Upload;
use super::answer::unknown_upload;
use super::seal::{KeptId, Stage};
use crate::net::body::StreamBody;
use crate::net::payload::Payload;
use crate::net::spool::{Lost, Spool, Swallow};
use crate::observe::blame::{Blame, Step};
use crate::oci::chunk::ContentRange;
use crate::oci::error::ErrorCode;
use crate::oci::query::Query;
use crate::oci::reference::Digest;

/// The chunks of unfinished uploads.
#[derive(Debug, Default)]
pub(super) struct Kept(DashMap<KeptId, Chunks>);

#[derive(Debug)]
struct Chunks {
    spool: Spool,
    /// How much the registry has taken before them.
    before: u64,
    /// How far the upload is, with what the registry has.
    length: u64,
    came: Instant,
}

impl Kept {
    pub(super) fn length(&self, id: KeptId) -> Option<u64> {
        self.0.get(&id).map(|chunks| chunks.length)
    }

    pub(super) fn give_up(&self, id: KeptId) {
        self.0.remove(&id);
    }

    /// The chunks, if they are `length` bytes with what the registry has, and how much that is.
    fn take(&self, id: KeptId, length: u64) -> Option<(Spool, u64)> {
        let taken = self.0.remove_if(&id, |_, chunks| chunks.length == length);
        taken.map(|(_, chunks)| (chunks.spool, chunks.before))
    }

    fn put(&self, id: KeptId, spool: Spool, before: u64, length: u64) {
        self.0.insert(id, Chunks { spool, before, length, came: Instant::now() });
    }

    /// Whether there is room for one more upload, once those that nobody goes on with are given up.
    fn has_room(&self) -> bool {
        let now = Instant::now();
        self.0.retain(|_, chunks| now < chunks.came + ABANDONED);
        self.0.len() < MOST_UPLOADS
    }
}

impl Upload<'_> {
    /// Keeps a chunk behind those that came before it.
    pub(super) async fn keep(
        &mut self,
        stage: Stage,
        body: Incoming,
        range: Option<ContentRange>,
    ) -> Result<(HeaderMap, Stage), Failure> {
        if range.is_some_and(|range| range.first != stage.received) {
            return Err(self.out_of_order(&stage).await);
        }
        let (spool, before) = match stage.kept {
            Some(id) => self.behind(id, stage.received, body).await?,
            None => (self.spool(body), stage.received),
        };
        self.keep_all(stage, spool, before).await
    }

    /// What was kept with `body` behind it, and how much the registry has taken before.
    async fn behind(&mut self, id: KeptId, received: u64, body: Incoming) -> Result<(Spool, u64), Failure> {
        let taken = self.proxy.uploads.kept.take(id, received);
        let (earlier, before) = taken.ok_or_else(|| unknown_upload(NOT_HERE))?;
        Ok((self.lent(earlier.followed_by(body, self.progress.clone()).await), before))
    }

    /// The one PATCH that most clients send. Where it is refused, because it is not the first or for good, it is kept
    /// until the PUT.
    pub(super) async fn only_chunk(
        &mut self,
        stage: Stage,
        query: &Query,
        body: Incoming,
    ) -> Result<(HeaderMap, Stage), Failure> {
        let payload = self.payload(body);
        let failure = match self.patch(stage.clone(), query, payload.clone(), None).await {
            Ok(sent) => return Ok(sent),
            Err(failure) => failure,
        };
        let refuses_patches =
            failure.step == Step::Registry && matches!(failure.status.as_u16(), 400 | 404 | 405 | 413 | 416 | 501);
        match payload {
            Payload::Streamed(spool) if refuses_patches && spool.rewind().await.is_ok() => {
                let before = stage.received;
                self.keep_all(stage, spool, before).await
            }
            _ => Err(failure),
        }
    }

    /// Takes in what comes behind `before` bytes that the registry has.
    async fn keep_all(&mut self, stage: Stage, spool: Spool, before: u64) -> Result<(HeaderMap, Stage), Failure> {
        let kept = &self.proxy.uploads.kept;
        if !kept.has_room() {
            return Err(self.no_room(&format!("the chunks of {MOST_UPLOADS} uploads are kept already")));
        }
        let length = before
            + spool.swallow().await.map_err(|why| match why {
                Swallow::Client(fault) => client_fault(fault),
                Swallow::Spent(spent) => match spent.why {
                    Lost::TooLong(kept) => self.too_large(kept),
                    Lost::Crowded | Lost::Unwritable(_) => self.no_room(&spent.why.to_string()),
                },
                Swallow::Read(why) => self.broken(&format!("chunks that were kept cannot be read again: {why}")),
            })?;
        let id = stage.kept.unwrap_or_else(|| KeptId(fastrand::u128(..)));
        kept.put(id, spool, before, length);
        Ok((HeaderMap::new(), Stage { received: length, kept: Some(id), ..stage }))
    }

    /// Sends what was kept, and the last of it, in one PUT.
    pub(super) async fn finish_kept(
        &mut self,
        (stage, id): (Stage, KeptId),
        digest: &Digest,
        query: &Query,
        body: Incoming,
    ) -> Result<Response<StreamBody>, Failure> {
        let (spool, _) = self.behind(id, stage.received, body).await?;
        self.put(stage, digest, query, Payload::Streamed(spool)).await
    }

    async fn out_of_order(&self, stage: &Stage) -> Failure {
        let message = format!("the chunk does not begin where the last one ended: {} bytes were taken", stage.received);
        let (status, code) = (StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::RangeInvalid);
        let mut failure = Failure::new(status, code, Blame::Client, Step::Classify, message);
        self.point_to(stage, &mut failure).await;
        failure
    }

    fn too_large(&self, kept: u64) -> Failure {
        let message = format!(
            "{} takes no chunks, and no more than {kept} bytes of one upload are kept here to be sent as one; send the blob in one request, or raise 'upload_spool'",
            self.call.registry()
        );
        let (status, code) = (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid);
        Failure::new(status, code, Blame::Configuration, Step::Transfer, message)
    }

    fn no_room(&self, why: &str) -> Failure {
        let message =
            format!("{} takes no chunks, and these cannot be kept here: {why}; try again later", self.call.registry());
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
        Failure::new(status, code, Blame::Proxy, Step::Transfer, message).with_header(RETRY_AFTER, "60")
    }
}

pub(super) const NOT_HERE: &str = "the chunks of this upload are kept by another regpass, or were given up";
/// After this long nobody goes on with an upload.
const ABANDONED: Duration = Duration::from_secs(3600);
const MOST_UPLOADS: usize = 64;

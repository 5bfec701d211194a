//! The PATCH, the status and the cancellation of an upload.

use http::header::{CONTENT_RANGE, RANGE, RETRY_AFTER};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::super::failure::{Failure, client_fault};
use super::Upload;
use super::answer::unknown_upload;
use super::keep::NOT_HERE;
use super::seal::Stage;
use super::step::Early;
use crate::net::body::StreamBody;
use crate::net::payload::Payload;
use crate::net::pieces::Pieces;
use crate::observe::blame::{Blame, Step};
use crate::oci::chunk::{self, ContentRange};
use crate::oci::error::ErrorCode;
use crate::oci::query::Query;
use crate::profile::Chunks;

/// How a body goes to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    AsItIs,
    /// In ranged chunks of `size` bytes, the first of which begins at `first`.
    InPieces {
        first: u64,
        size: u64,
    },
    /// With the PUT, until when it stays here.
    Kept,
    /// As the one chunk of its blob.
    Alone,
}

impl Upload<'_> {
    /// A chunk, by the profile as it is, in pieces, or kept for later.
    pub(super) async fn chunk(&mut self, stage: Stage, body: Incoming) -> Result<Response<StreamBody>, Failure> {
        let range = self.content_range()?;
        let query = self.call.query.clone();
        let (headers, stage) = match self.way(&stage, range, &body) {
            Way::Kept => {
                check_range(range, &body)?;
                self.keep(stage, body, range).await?
            }
            Way::Alone => self.only_chunk(stage, &query, body).await?,
            Way::InPieces { first, size } => {
                check_range(range, &body)?;
                self.send_pieces(stage, &query, body, (first, size)).await?
            }
            Way::AsItIs => {
                let payload = self.payload(body);
                self.patch(stage, &query, payload, range).await?
            }
        };
        self.goes_on(StatusCode::ACCEPTED, &headers, &stage).await
    }

    /// How the registry takes a body that comes with this range.
    pub(super) fn way(&self, stage: &Stage, range: Option<ContentRange>, body: &Incoming) -> Way {
        match (self.call.routed.upstream.profile().uploads.chunks, range) {
            (Chunks::Whole, None) if stage.kept.is_none() => Way::Alone,
            (Chunks::Whole, _) => Way::Kept,
            (Chunks::RangedUpTo(size), Some(range)) if range.length() > size => {
                Way::InPieces { first: range.first, size }
            }
            (Chunks::Sized(size), _) if body.size_hint().exact().is_none() => {
                Way::InPieces { first: range.map_or(stage.received, |range| range.first), size }
            }
            _ => Way::AsItIs,
        }
    }

    /// Sends one PATCH.
    pub(super) async fn patch(
        &mut self,
        stage: Stage,
        query: &Query,
        payload: Payload,
        range: Option<ContentRange>,
    ) -> Result<(HeaderMap, Stage), Failure> {
        let to = stage.with_query(query);
        let head = self.send(Method::PATCH, &to, payload.clone(), range, Early::Wrong).await?;
        let sent = match &payload {
            Payload::Held(bytes) => bytes.len() as u64,
            Payload::Streamed(spool) => spool.passed(),
        };
        // What a registry tells can be behind (ECR, old Zot); what was sent to it cannot be ahead.
        let by_range = range.map_or(stage.received, |range| range.first) + sent;
        let received = told(&head.headers).unwrap_or(by_range).max(stage.received + sent);
        let stage = self.next_stage(&head, &stage, received)?;
        Ok((head.headers, stage))
    }

    /// Cuts a body into ranged chunks of `size` bytes from `first` on, one in memory at a time.
    pub(super) async fn send_pieces(
        &mut self,
        mut stage: Stage,
        query: &Query,
        body: Incoming,
        (mut first, size): (u64, u64),
    ) -> Result<(HeaderMap, Stage), Failure> {
        let size = usize::try_from(size).map_err(|_| self.broken("a piece that fits into no memory"))?;
        let upstream = self.call.routed.upstream.clone();
        let turn = timeout(upstream.timeouts.response_head, upstream.cutters.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(self.too_many_cut()) };
        let mut pieces = Pieces::of(body, upstream.timeouts.body_idle, self.progress.clone());
        let mut headers = HeaderMap::new();
        while let Some(piece) = pieces.next(size).await.map_err(client_fault)? {
            let sent = piece.len() as u64;
            let range = ContentRange::of(first, sent);
            (headers, stage) = self.patch(stage, query, Payload::Held(piece), range).await?;
            self.record.sent += sent;
            first += sent;
        }
        Ok((headers, stage))
    }

    /// How far the upload is. Some registries stay behind in what they tell (ECR), so what they took counts too.
    pub(super) async fn status(&mut self, stage: Stage) -> Result<Response<StreamBody>, Failure> {
        if let Some(id) = stage.kept {
            let received = self.proxy.uploads.kept.length(id).ok_or_else(|| unknown_upload(NOT_HERE))?;
            return self.goes_on(StatusCode::NO_CONTENT, &HeaderMap::new(), &Stage { received, ..stage }).await;
        }
        let to = stage.with_query(&self.call.query);
        let head = self.send(Method::GET, &to, Payload::none(), None, Early::Fine).await?;
        let received = told(&head.headers).unwrap_or(0).max(stage.received);
        // `0-0` is what most say of an upload that has nothing yet.
        let received = if stage.received == 0 && received == 1 { 0 } else { received };
        let stage = self.next_stage(&head, &stage, received)?;
        self.goes_on(StatusCode::NO_CONTENT, &head.headers, &stage).await
    }

    pub(super) async fn cancel(&mut self, stage: Stage) -> Result<Response<StreamBody>, Failure> {
        if let Some(id) = stage.kept {
            self.proxy.uploads.kept.give_up(id);
        }
        let to = stage.with_query(&self.call.query);
        self.send(Method::DELETE, &to, Payload::none(), None, Early::Fine).await?;
        Ok(Self::cancelled())
    }

    fn too_many_cut(&self) -> Failure {
        let message = format!("{}: too many bodies are being cut into pieces for it; try again", self.call.registry());
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
        Failure::new(status, code, Blame::Proxy, Step::Transfer, message).with_header(RETRY_AFTER, "5")
    }

    fn content_range(&self) -> Result<Option<ContentRange>, Failure> {
        let Some(value) = self.head.headers.get(CONTENT_RANGE) else { return Ok(None) };
        let parsed = value.to_str().ok().and_then(|value| ContentRange::parse(value).ok());
        parsed.map(Some).ok_or_else(|| {
            let message = "the chunk cannot be taken: its Content-Range is not of the form <first>-<last>";
            let status = StatusCode::BAD_REQUEST;
            Failure::new(status, ErrorCode::BlobUploadInvalid, Blame::Client, Step::Classify, message)
        })
    }
}

/// How many bytes the registry says it has.
pub(super) fn told(headers: &HeaderMap) -> Option<u64> {
    headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(chunk::received)
}

/// A chunk that is cut or kept here has to be what its range says. Of one that goes as it is the registry judges.
fn check_range(range: Option<ContentRange>, body: &Incoming) -> Result<(), Failure> {
    let (told, length) = (range.map(ContentRange::length), body.size_hint().exact());
    let (Some(told), Some(length)) = (told, length.filter(|length| told != Some(*length))) else { return Ok(()) };
    let message = format!("the chunk cannot be taken: it has {length} bytes, and its Content-Range tells of {told}");
    let status = StatusCode::BAD_REQUEST;
    Err(Failure::new(status, ErrorCode::SizeInvalid, Blame::Client, Step::Classify, message))
}

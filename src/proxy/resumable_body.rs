//! Streams a response body to the client, and resumes a blob whose transfer from the registry breaks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody as FrameStream};
use hyper::body::Incoming;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::Proxy;
use super::classify::Call;
use super::fetch::fetch;
use super::redirect::FetchOutcome;
use super::upstream_request::UpstreamRequest;
use crate::net::body::StreamBody;
use crate::net::cause::BoxError;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;

/// The request for a blob, to repeat for the missing bytes if the transfer breaks.
#[derive(Debug)]
pub struct Resumption {
    pub proxy: Arc<Proxy>,
    pub call: Call,
    pub request: UpstreamRequest,
}

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("the registry or its storage sent no data for {} s", .0.as_secs())]
    Idle(Duration),
    #[error("the connection to the registry or its storage failed: {0}")]
    ConnectionFailed(BoxError),
    #[error("the registry or its storage closed the connection after {received} of {expected} bytes")]
    Short { received: u64, expected: u64 },
}

/// Streams `body` to the client. If the transfer breaks, regpass requests the missing bytes where it can; otherwise the
/// client sees an error, never a complete body.
pub fn stream(
    mut record: Record,
    headers: &HeaderMap,
    status: StatusCode,
    body: Incoming,
    idle: Duration,
    resumption: Option<Resumption>,
) -> StreamBody {
    let span = Span::of(status, headers);
    // hyper does not poll an empty body, so it is complete from the start.
    record.is_complete = span.length == Some(0);
    let etag = headers.get(ETAG).map(|tag| Bytes::copy_from_slice(tag.as_bytes()));
    let transfer = Transfer { record, body: Some(body), span, etag, idle, resumption, failed_resumptions: 0 };
    let frames = unfold(transfer, |mut transfer| async move {
        let next = transfer.next().await?;
        Some((next.map(Frame::data), transfer))
    });
    BodyExt::boxed_unsync(FrameStream::new(frames))
}

struct Transfer {
    record: Record,
    /// `None` once the body has ended or failed.
    body: Option<Incoming>,
    span: Span,
    etag: Option<Bytes>,
    idle: Duration,
    resumption: Option<Resumption>,
    /// Consecutive resumptions that brought no data.
    failed_resumptions: u32,
}

/// The part of the blob that the client receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// The first byte. `None` if the body is not a single range of the blob with a valid `Content-Range`, but several
    /// (`multipart/byteranges`): its missing bytes cannot be requested.
    first: Option<u64>,
    /// Bytes of the body. `None` without a `Content-Length`.
    length: Option<u64>,
    /// Size of the whole blob, if known.
    blob_size: Option<u64>,
}

impl Span {
    fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if status != StatusCode::PARTIAL_CONTENT {
            return Self { first: Some(0), length, blob_size: length };
        }
        let part = Part::of(headers);
        Self { first: part.as_ref().map(|part| part.first), length, blob_size: part.and_then(|part| part.blob_size) }
    }
}

impl Transfer {
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            let body = self.body.as_mut()?;
            let error = match timeout(self.idle, body.frame()).await {
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) => {
                        self.failed_resumptions = 0;
                        self.record.bytes += data.len() as u64;
                        // hyper does not poll again after the bytes that `Content-Length` announced.
                        self.record.is_complete = self.span.length == Some(self.record.bytes);
                        return Some(Ok(data));
                    }
                    Err(_trailers) => continue,
                },
                Ok(None) => match self.span.length {
                    Some(expected) if self.record.bytes < expected => {
                        BodyError::Short { received: self.record.bytes, expected }
                    }
                    _ => {
                        self.body = None;
                        self.record.is_complete = true;
                        return None;
                    }
                },
                Ok(Some(Err(error))) => BodyError::ConnectionFailed(error.into()),
                Err(_) => BodyError::Idle(self.idle),
            };
            debug!(registry = self.record.registry.as_deref(), bytes = self.record.bytes, %error, "response body interrupted");
            self.body = self.resume().await;
            if self.body.is_none() {
                self.record.blame = Some(Blame::Registry);
                self.record.step = Some(Step::Transfer);
                self.record.error = Some(format!("response body interrupted: {error}").into());
                return Some(Err(error.into()));
            }
        }
    }

    /// Requests the missing bytes. A response is used only if it starts at the first missing byte of the same blob and
    /// ends at the last one or before.
    async fn resume(&mut self) -> Option<Incoming> {
        let resumption = self.resumption.as_ref()?;
        let (first, total) = (self.span.first?, self.span.length?);
        let received = self.record.bytes;
        let (from, to) = (first + received, (first + total).checked_sub(1)?);
        let request = resumption.request.for_range(&format!("bytes={from}-{to}"))?;
        while received < total
            && self.failed_resumptions < MAX_FAILED_RESUMPTIONS
            && self.record.resumed < MAX_RESUMPTIONS
        {
            if self.failed_resumptions > 0 {
                sleep(RESUMPTION_PAUSE).await;
            }
            self.failed_resumptions += 1;
            self.record.resumed += 1;
            let fetched = fetch(&resumption.proxy, &resumption.call, &request, &mut self.record).await;
            match fetched {
                Ok(FetchOutcome::Registry(response) | FetchOutcome::RedirectTarget(response)) => {
                    if self.is_rest(&response, from, to) {
                        return Some(response.into_body());
                    }
                    // A server error may be temporary; any other response is final.
                    if !response.status().is_server_error() {
                        return None;
                    }
                }
                Ok(FetchOutcome::PassedToClient(_)) => return None,
                Err(_error) => {}
            }
        }
        None
    }

    /// Whether the response is a part of the same blob from `from` on, and not beyond `to`.
    fn is_rest(&self, response: &Response<Incoming>, from: u64, to: u64) -> bool {
        let headers = response.headers();
        let is_same_entity = match (&self.etag, headers.get(ETAG)) {
            (Some(first), Some(resumed)) => **first == *resumed.as_bytes(),
            _ => true,
        };
        let has_same_size = |part: &Part| {
            part.blob_size.is_none() || self.span.blob_size.is_none() || part.blob_size == self.span.blob_size
        };
        let is_range =
            Part::of(headers).is_some_and(|part| part.first == from && part.last <= to && has_same_size(&part));
        response.status() == StatusCode::PARTIAL_CONTENT && is_range && is_same_entity
    }
}

/// The `Content-Range` of a response: `bytes first-last/size`, where the size may be `*`.
struct Part {
    first: u64,
    last: u64,
    blob_size: Option<u64>,
}

impl Part {
    /// `None` also for several ranges, whatever `Content-Range` says.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if media_type.to_ascii_lowercase().starts_with(b"multipart/byteranges") {
            return None;
        }
        let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes")?.trim_start();
        let (part, blob_size) = range.split_once('/')?;
        let (first, last) = part.split_once('-')?;
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()?, blob_size: blob_size.parse().ok() })
    }
}

const MAX_FAILED_RESUMPTIONS: u32 = 2;
/// Pause after a resumption that failed.
const RESUMPTION_PAUSE: Duration = Duration::from_secs(1);
/// Maximum resumptions of one body, even if each brings data: a registry that sends single bytes would otherwise cause
/// a request for each byte.
const MAX_RESUMPTIONS: u32 = 20;

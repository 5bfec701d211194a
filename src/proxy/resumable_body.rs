//! Streams a response body to the client, verifies a blob by its digest, and resumes it if the transfer from the registry
//! breaks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CONTENT_ENCODING, ETAG, HeaderName, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, Response, StatusCode, response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody as FrameStream};
use hyper::body::Incoming;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::Proxy;
use super::blob_check::BlobCheck;
use super::classify::Call;
use super::fetch::fetch;
use super::redirect::FetchOutcome;
use super::response_headers::content_length;
use super::upstream_request::UpstreamRequest;
use crate::net::body::StreamBody;
use crate::net::cause::BoxError;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::byte_range::Part;

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
    #[error("the bytes that the registry or its storage sent do not match the digest of the blob")]
    WrongContent,
}

/// Streams `body` to the client. If the transfer breaks, regpass requests the missing bytes where it can; otherwise the
/// client sees an error, never a complete body. The last bytes of a body that does not pass `check` are not sent.
pub fn stream(
    mut record: Record,
    head: &response::Parts,
    body: Incoming,
    idle: Duration,
    resumption: Option<Resumption>,
    check: Option<BlobCheck>,
) -> StreamBody {
    let span = Span::of(head.status, &head.headers);
    // hyper does not poll an empty body, so it is complete from the start.
    record.is_complete = span.length == Some(0);
    let version = Version::of(&head.headers);
    let transfer = Transfer {
        record,
        body: Some(body),
        span,
        version,
        idle,
        resumption,
        failed_resumptions: 0,
        since_resumption: 0,
        check,
        held: None,
    };
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
    version: Version,
    idle: Duration,
    resumption: Option<Resumption>,
    /// Consecutive resumptions that brought less than [`MIN_PROGRESS`].
    failed_resumptions: u32,
    /// Bytes since the last resumption.
    since_resumption: u64,
    check: Option<BlobCheck>,
    /// The last piece of a body of unknown length, which may be its end, until the next one arrives.
    held: Option<Bytes>,
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
        let length = content_length(headers);
        if status != StatusCode::PARTIAL_CONTENT {
            return Self { first: Some(0), length, blob_size: length };
        }
        let part = Part::of(headers);
        let length = length.or_else(|| part?.length());
        Self { first: part.map(|part| part.first), length, blob_size: part.and_then(|part| part.size) }
    }
}

/// What identifies the version of the content that a response has.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
    encoding: Option<HeaderValue>,
}

impl Version {
    fn of(headers: &HeaderMap) -> Self {
        let value = |name: HeaderName| headers.get(name).cloned();
        Self { etag: value(ETAG), last_modified: value(LAST_MODIFIED), encoding: value(CONTENT_ENCODING) }
    }

    /// The entity tag, if it is strong: equal tags then mean equal bytes (RFC 9110, section 8.8.1).
    fn strong_etag(&self) -> Option<&HeaderValue> {
        self.etag.as_ref().filter(|etag| etag.as_bytes().starts_with(b"\""))
    }

    /// Whether nothing says that `other` is another version.
    fn may_be(&self, other: &Self) -> bool {
        let differ = |a: &Option<HeaderValue>, b: &Option<HeaderValue>| a.is_some() && b.is_some() && a != b;
        !differ(&self.etag, &other.etag)
            && !differ(&self.last_modified, &other.last_modified)
            && self.encoding == other.encoding
    }
}

impl Transfer {
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            let body = self.body.as_mut()?;
            let error = match timeout(self.idle, body.frame()).await {
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) => match self.verified(data) {
                        Ok(Some(data)) => return Some(Ok(self.counted(data))),
                        Ok(None) => continue,
                        Err(error) => return Some(Err(self.failed(error))),
                    },
                    Err(_trailers) => continue,
                },
                Ok(None) => match self.span.length {
                    Some(expected) if self.record.bytes < expected => {
                        BodyError::Short { received: self.record.bytes, expected }
                    }
                    _ => return self.end(),
                },
                Ok(Some(Err(error))) => BodyError::ConnectionFailed(error.into()),
                Err(_) => BodyError::Idle(self.idle),
            };
            debug!(registry = self.record.registry.as_deref(), bytes = self.record.bytes, %error, "response body interrupted");
            self.body = self.resume().await;
            if self.body.is_none() {
                return Some(Err(self.failed(error)));
            }
        }
    }

    /// Hashes a piece of the body, and returns the piece to send. The end of a body is sent only if the whole matches: with
    /// a known length that is the piece with the last byte, otherwise each piece waits for the next one.
    fn verified(&mut self, data: Bytes) -> Result<Option<Bytes>, BodyError> {
        let Some(check) = &mut self.check else { return Ok(Some(data)) };
        check.update(&data);
        let Some(length) = self.span.length else { return Ok(self.held.replace(data)) };
        if self.record.bytes + data.len() as u64 >= length && !self.check.take().is_some_and(BlobCheck::matches) {
            return Err(BodyError::WrongContent);
        }
        Ok(Some(data))
    }

    fn counted(&mut self, data: Bytes) -> Bytes {
        let length = data.len() as u64;
        self.record.bytes += length;
        self.since_resumption += length;
        if self.since_resumption >= MIN_PROGRESS {
            self.failed_resumptions = 0;
        }
        // hyper does not poll again after the bytes that `Content-Length` announced.
        self.record.is_complete = self.span.length == Some(self.record.bytes);
        data
    }

    /// The end of the upstream body: the piece that is held, if there is one.
    fn end(&mut self) -> Option<Result<Bytes, BoxError>> {
        self.body = None;
        if !self.check.take().is_none_or(BlobCheck::matches) {
            return Some(Err(self.failed(BodyError::WrongContent)));
        }
        self.record.is_complete = true;
        let held = self.held.take()?;
        self.record.bytes += held.len() as u64;
        Some(Ok(held))
    }

    fn failed(&mut self, error: BodyError) -> BoxError {
        self.body = None;
        self.record.blame = Some(Blame::Registry);
        self.record.step = Some(Step::Transfer);
        self.record.error = Some(match error {
            BodyError::WrongContent => error.to_string().into(),
            _ => format!("response body interrupted: {error}").into(),
        });
        error.into()
    }

    /// Requests the missing bytes. A response is used only if it starts at the first missing byte of the same blob and
    /// ends at the last one or before.
    async fn resume(&mut self) -> Option<Incoming> {
        let resumption = self.resumption.as_ref()?;
        let (first, total) = (self.span.first?, self.span.length?);
        let received = self.record.bytes;
        let (from, to) = (first + received, (first + total).checked_sub(1)?);
        let request = resumption.request.for_rest(&format!("bytes={from}-{to}"), self.version.strong_etag())?;
        self.since_resumption = 0;
        while received < total && self.failed_resumptions < MAX_FAILED_RESUMPTIONS {
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

    /// Whether the response is a part of the same blob from `from` on, and not beyond `to`. Without a check of the whole,
    /// only equal strong entity tags prove that it is the same.
    fn is_rest(&self, response: &Response<Incoming>, from: u64, to: u64) -> bool {
        let headers = response.headers();
        let version = Version::of(headers);
        let is_same = self.version.may_be(&version)
            && (self.check.is_some()
                || self.version.strong_etag().is_some_and(|etag| version.strong_etag() == Some(etag)));
        let has_same_size =
            |part: &Part| part.size.is_none() || self.span.blob_size.is_none() || part.size == self.span.blob_size;
        let is_range = Part::of(headers).is_some_and(|part| {
            part.first == from && part.last <= to && has_same_size(&part) && part.has_its_length(headers)
        });
        response.status() == StatusCode::PARTIAL_CONTENT && is_range && is_same
    }
}

const MAX_FAILED_RESUMPTIONS: u32 = 2;
/// Pause after a resumption that failed.
const RESUMPTION_PAUSE: Duration = Duration::from_secs(1);
/// Bytes that make a resumption a success: a registry that sends single bytes would otherwise cause a request for each
/// byte.
const MIN_PROGRESS: u64 = 16 * 1024;

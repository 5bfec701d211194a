//! A body on its way to the client: watched, counted, and resumed when the registry drops it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody as FrameStream};
use hyper::body::Incoming;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::Proxy;
use super::call::Call;
use super::exchange::Timing;
use super::outbound::Outbound;
use super::pipeline;
use super::redirect::Landing;
use crate::net::body::StreamBody;
use crate::net::error::BoxError;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;

/// What a blob needs to be asked for again.
#[derive(Debug)]
pub struct Resumption {
    pub proxy: Arc<Proxy>,
    pub call: Call,
    pub outbound: Outbound,
}

/// A body that broke for good.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("nothing came for {} s", .0.as_secs())]
    Idle(Duration),
    #[error("it broke off: {0}")]
    Lost(BoxError),
    #[error("it ended after {got} of {expected} bytes")]
    Short { got: u64, expected: u64 },
}

/// Streams `body` to the client. A break is healed by asking for the rest where that is possible, and is otherwise
/// shown to the client as a break, never as the end.
pub fn stream(
    mut record: Record,
    headers: &HeaderMap,
    status: StatusCode,
    body: Incoming,
    idle: Duration,
    resumption: Option<Resumption>,
) -> StreamBody {
    let span = Span::of(status, headers);
    // Nobody asks for the pieces of nothing.
    record.finished = span.length == Some(0);
    let entity = headers.get(ETAG).map(|tag| Bytes::copy_from_slice(tag.as_bytes()));
    let transfer = Transfer { record, body: Some(body), span, entity, idle, resumption, fruitless: 0 };
    let frames = unfold(transfer, |mut transfer| async move {
        let next = transfer.next().await?;
        Some((next.map(Frame::data), transfer))
    });
    BodyExt::boxed_unsync(FrameStream::new(frames))
}

struct Transfer {
    record: Record,
    /// Taken when the body is over, well or not.
    body: Option<Incoming>,
    span: Span,
    entity: Option<Bytes>,
    idle: Duration,
    resumption: Option<Resumption>,
    /// Resumptions in a row that yielded nothing.
    fruitless: u32,
}

/// Which bytes of the blob the client is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    /// Absent when the registry did not say how much there is.
    length: Option<u64>,
    /// How long the whole blob is, as far as that was told.
    whole: Option<u64>,
}

impl Span {
    fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if status != StatusCode::PARTIAL_CONTENT {
            return Self { first: 0, length, whole: length };
        }
        match Part::of(headers) {
            Some(part) => Self { first: part.first, length, whole: part.whole },
            None => Self { first: 0, length: None, whole: None },
        }
    }
}

impl Transfer {
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            let body = self.body.as_mut()?;
            let why = match timeout(self.idle, body.frame()).await {
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => continue,
                    Ok(data) => {
                        self.fruitless = 0;
                        self.record.bytes += data.len() as u64;
                        // The server does not poll again once it has all the bytes it announced.
                        self.record.finished = self.span.length == Some(self.record.bytes);
                        return Some(Ok(data));
                    }
                    Err(_trailers) => continue,
                },
                Ok(None) => match self.span.length {
                    Some(expected) if self.record.bytes < expected => {
                        Broken::Short { got: self.record.bytes, expected }
                    }
                    _ => {
                        self.body = None;
                        self.record.finished = true;
                        return None;
                    }
                },
                Ok(Some(Err(error))) => Broken::Lost(error.into()),
                Err(_) => Broken::Idle(self.idle),
            };
            debug!(registry = self.record.registry.as_deref(), bytes = self.record.bytes, error = %why, "body broke off");
            self.body = self.resume().await;
            if self.body.is_none() {
                self.record.blame = Some(Blame::Registry);
                self.record.step = Some(Step::Transfer);
                self.record.error = Some(format!("the body broke off: {why}").into());
                return Some(Err(why.into()));
            }
        }
    }

    /// Asks for the bytes that are missing. Only an answer that is exactly those bytes of the same blob will do.
    async fn resume(&mut self) -> Option<Incoming> {
        let resumption = self.resumption.as_ref()?;
        let total = self.span.length?;
        let got = self.record.bytes;
        let (from, to) = (self.span.first + got, (self.span.first + total).checked_sub(1)?);
        let outbound = resumption.outbound.for_range(&format!("bytes={from}-{to}"))?;
        while got < total && self.fruitless < MOST_FRUITLESS && self.record.resumed < MOST_RESUMPTIONS {
            if self.fruitless > 0 {
                sleep(PAUSE).await;
            }
            self.fruitless += 1;
            self.record.resumed += 1;
            let mut timing = Timing::default();
            let fetched =
                pipeline::fetch(&resumption.proxy, &resumption.call, &outbound, &mut self.record, &mut timing).await;
            self.record.auth += timing.auth;
            self.record.upstream += timing.upstream;
            match fetched {
                Ok(Landing::Registry(response) | Landing::Elsewhere(response)) => {
                    if self.is_rest(&response, from, to) {
                        return Some(response.into_body());
                    }
                    // Whoever is only busy may have the rest in a moment; whoever has something else will not.
                    if !response.status().is_server_error() {
                        return None;
                    }
                }
                Ok(Landing::HandedOn(_)) => return None,
                Err(_unreachable) => {}
            }
        }
        None
    }

    fn is_rest(&self, response: &Response<Incoming>, from: u64, to: u64) -> bool {
        let headers = response.headers();
        let same_entity = match (&self.entity, headers.get(ETAG)) {
            (Some(ours), Some(theirs)) => **ours == *theirs.as_bytes(),
            _ => true,
        };
        let same_length =
            |part: &Part| part.whole.is_none() || self.span.whole.is_none() || part.whole == self.span.whole;
        let is_part = Part::of(headers).is_some_and(|part| part.first == from && part.last <= to && same_length(&part));
        response.status() == StatusCode::PARTIAL_CONTENT && is_part && same_entity
    }
}

/// `Content-Range: bytes first-last/whole`; the last is `*` where the server does not know.
struct Part {
    first: u64,
    last: u64,
    whole: Option<u64>,
}

impl Part {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes")?.trim_start();
        let (part, whole) = range.split_once('/')?;
        let (first, last) = part.split_once('-')?;
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()?, whole: whole.parse().ok() })
    }
}

const MOST_FRUITLESS: u32 = 2;
/// Before asking once more for what could not be had just now.
const PAUSE: Duration = Duration::from_secs(1);
/// However much comes each time: a registry that hands out bytes one by one would be asked for every one of them.
const MOST_RESUMPTIONS: u32 = 20;

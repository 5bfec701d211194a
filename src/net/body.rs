//! Bodies: what goes out, what comes in, and how much of it is believed.

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::once;
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Empty, Full, StreamBody as FrameStream};
use tokio::time::timeout;

use super::error::BoxError;

/// How much of a connection is read and written at once, and how long the head of a message may be: a quarter of what
/// hyper would take, because hundreds of transfers may go on at once.
pub(super) const BUFFER: usize = 128 * 1024;

/// A body on its way to an upstream or to a client.
pub type StreamBody = UnsyncBoxBody<Bytes, BoxError>;

pub fn empty() -> StreamBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub fn full(bytes: impl Into<Bytes>) -> StreamBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// `body`, from when `begin` is over.
pub fn after(begin: impl Future<Output = ()> + Send + 'static, body: StreamBody) -> StreamBody {
    let frames = once(async move {
        begin.await;
        BodyStream::new(body)
    });
    FrameStream::new(frames.flatten()).boxed_unsync()
}

/// Why a body could not be had whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("it broke off")]
    Broken(#[source] BoxError),
    #[error("nothing came for {} s", .0.as_secs())]
    Idle(Duration),
    #[error("it did not end within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
}

/// Reads a small document whole: at most `limit` bytes, with at most `idle` between two pieces.
pub async fn read_limited<B>(body: B, limit: usize, idle: Duration) -> Result<Bytes, ReadError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = std::pin::pin!(body);
    if body.size_hint().lower() > limit as u64 {
        return Err(ReadError::TooLarge(limit));
    }
    let mut whole = BytesMut::new();
    loop {
        let frame = timeout(idle, body.frame()).await.map_err(|_| ReadError::Idle(idle))?;
        let Some(frame) = frame else { return Ok(whole.freeze()) };
        let Ok(data) = frame.map_err(|error| ReadError::Broken(error.into()))?.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(ReadError::TooLarge(limit));
        }
        whole.extend_from_slice(&data);
    }
}

/// Reads a body nobody wants, so that its connection can be used again; gives up on long or slow ones.
pub async fn drain<B>(body: B)
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    // Whether it worked makes no difference to the caller: a connection that is not drained is closed.
    let _ = timeout(Duration::from_secs(1), read_limited(body, 64 * 1024, Duration::from_secs(1))).await;
}

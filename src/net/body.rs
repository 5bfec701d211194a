//! Request and response bodies.

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::once;
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Empty, Full, StreamBody as FrameStream};
use tokio::time::timeout;

use super::cause::BoxError;

/// Bytes. Size of a connection's read and write buffers, and so the limit of a message's head: a third of hyper's
/// default, because hundreds of transfers may run at once.
pub(crate) const BUFFER: usize = 128 * 1024;

/// A body that regpass sends to an upstream or a client.
pub type StreamBody = UnsyncBoxBody<Bytes, BoxError>;

pub fn empty() -> StreamBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub fn full(bytes: impl Into<Bytes>) -> StreamBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that yields nothing until `start` is done.
pub fn delayed(start: impl Future<Output = ()> + Send + 'static, body: StreamBody) -> StreamBody {
    let frames = once(async move {
        start.await;
        BodyStream::new(body)
    });
    FrameStream::new(frames.flatten()).boxed_unsync()
}

/// Why a body could not be read to its end. In the messages, "it" is the body.
#[derive(Debug, thiserror::Error)]
pub enum BodyReadError {
    #[error("the connection closed before its end")]
    Incomplete(#[source] BoxError),
    #[error("no data arrived for {} s", .0.as_secs())]
    Idle(Duration),
    #[error("it was not complete within {} s", .0.as_secs())]
    TooSlow(Duration),
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
}

/// Reads a whole body of at most `limit` bytes. `idle` limits the wait for each piece.
pub async fn read_limited<B>(body: B, limit: usize, idle: Duration) -> Result<Bytes, BodyReadError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = std::pin::pin!(body);
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyReadError::TooLarge(limit));
    }
    let mut whole = BytesMut::new();
    loop {
        let frame = timeout(idle, body.frame()).await.map_err(|_| BodyReadError::Idle(idle))?;
        let Some(frame) = frame else { return Ok(whole.freeze()) };
        let Ok(data) = frame.map_err(|error| BodyReadError::Incomplete(error.into()))?.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(BodyReadError::TooLarge(limit));
        }
        whole.extend_from_slice(&data);
    }
}

/// Reads and discards a body, so that its connection can be reused. Gives up after 64 KiB or 1 s.
pub async fn drain<B>(body: B)
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    // A failure needs no handling: the connection is then closed instead of reused.
    let _ = timeout(Duration::from_secs(1), read_limited(body, 64 * 1024, Duration::from_secs(1))).await;
}

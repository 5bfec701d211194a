//! Request bodies, and the spool that lets a streamed body be sent more than once.

mod replay_buffer;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody as FrameStream};
use hyper::body::Incoming;
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use super::body::StreamBody;
use super::cause::BoxError;
use super::progress::Progress;
use replay_buffer::ReplayBuffer;
pub use replay_buffer::{SpoolError, SpoolSpace};

/// The body of a request to an upstream.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Complete in memory, so it can be sent any number of times.
    Buffered(Bytes),
    /// Streamed from the client. It can be sent again unless the spool had to drop a part.
    Streamed(Spool),
}

/// A client's request body, which is read once from the client and can be sent upstream by several attempts, one after
/// the other. Clones share the body.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Shared>);

/// A client that did not send its whole body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientFault {
    #[error("the client stopped sending the body before its end")]
    Broken,
    #[error("the client sent no part of the body for {} s", .0.as_secs())]
    Idle(Duration),
}

/// The body cannot be sent again, because the spool could not store all of it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{sent} bytes of the body were already sent, and regpass cannot send them again: {why}")]
pub struct NotReplayable {
    pub sent: u64,
    pub why: SpoolError,
}

/// A failure of [`Spool::buffer_whole`].
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    #[error("{0}")]
    Client(ClientFault),
    #[error("cannot read the stored body")]
    Read(#[source] BoxError),
    #[error("{0}")]
    NotReplayable(#[from] NotReplayable),
}

/// The error of an attempt that was stopped by a later one, by [`Spool::rewind`] or by [`Spool::close`].
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this attempt to send the body was stopped")]
struct Superseded;

#[derive(Debug)]
struct Shared {
    buffer: Mutex<ReplayBuffer>,
    /// Number of the latest attempt. An attempt with a smaller number is stopped; `rewind` and `close` count, too.
    attempts: watch::Sender<u64>,
    progress: Progress,
    idle_timeout: Duration,
    /// The declared length in bytes.
    length: Option<u64>,
    /// Bytes passed to the latest attempt, and whether they are the whole body.
    sent: AtomicU64,
    is_fully_sent: AtomicBool,
    client_fault: OnceLock<ClientFault>,
}

impl Payload {
    pub fn empty() -> Self {
        Self::Buffered(Bytes::new())
    }

    /// In bytes, if known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Buffered(bytes) => Some(bytes.len() as u64),
            Self::Streamed(spool) => spool.length(),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Buffered(bytes) if bytes.is_empty())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Buffered(bytes)
    }
}

impl Spool {
    /// Spools `incoming`: the first 128 KiB in memory, the rest in an unlinked temporary file as far as `space` allows.
    /// The client may pause for at most `idle_timeout`.
    pub fn new(incoming: Incoming, idle_timeout: Duration, progress: Progress, space: Arc<SpoolSpace>) -> Self {
        let length = incoming.size_hint().exact();
        Self::with_buffer(ReplayBuffer::new(Some(incoming), space), length, idle_timeout, progress)
    }

    fn with_buffer(buffer: ReplayBuffer, length: Option<u64>, idle_timeout: Duration, progress: Progress) -> Self {
        Self(Arc::new(Shared {
            buffer: Mutex::new(buffer),
            attempts: watch::Sender::new(0),
            progress,
            idle_timeout,
            length,
            sent: AtomicU64::new(0),
            is_fully_sent: AtomicBool::new(false),
            client_fault: OnceLock::new(),
        }))
    }

    /// Stops the latest attempt, so that the body can be sent again. An error means that it cannot.
    pub async fn rewind(&self) -> Result<(), NotReplayable> {
        let shared = &self.0;
        shared.attempts.send_modify(|attempts| *attempts += 1);
        match shared.buffer.lock().await.complete_write().await {
            Ok(()) => Ok(()),
            Err(why) => Err(NotReplayable { sent: shared.sent.load(Ordering::Relaxed), why }),
        }
    }

    /// Stops the latest attempt and releases the client's connection, which would otherwise stay open as long as that
    /// of an upstream that has stopped reading.
    pub fn close(&self) {
        self.0.attempts.send_modify(|attempts| *attempts += 1);
        // If the lock is taken, the attempt holds it and will see that it was stopped.
        if let Ok(mut buffer) = self.0.buffer.try_lock() {
            buffer.incoming = None;
        }
    }

    /// Starts an attempt: the whole body from its first byte. Stops the attempt before.
    pub async fn attempt(&self) -> Result<StreamBody, NotReplayable> {
        self.rewind().await?;
        let shared = &self.0;
        shared.sent.store(0, Ordering::Relaxed);
        shared.is_fully_sent.store(false, Ordering::Relaxed);
        shared.progress.record();
        let attempts = shared.attempts.subscribe();
        let number = *attempts.borrow();
        let attempt = Attempt { number, attempts, shared: shared.clone(), offset: 0 };
        let frames = unfold(attempt, |mut attempt| async move {
            let next = attempt.next().await.transpose()?;
            Some((next.map(Frame::data), attempt))
        });
        Ok(FrameStream::new(frames).boxed_unsync())
    }

    /// Reads the whole body from the client into the spool and returns its length.
    pub async fn buffer_whole(&self) -> Result<u64, BufferError> {
        let mut body = self.attempt().await?;
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| self.client_fault().map_or_else(|| BufferError::Read(error), BufferError::Client))?;
        }
        self.rewind().await?;
        Ok(self.bytes_sent())
    }

    /// Moves the stored body into a new spool that continues with `incoming`. This spool cannot be used afterwards.
    pub async fn followed_by(&self, incoming: Incoming, progress: Progress) -> Self {
        let mut buffer = self.0.buffer.lock().await;
        let length = incoming.size_hint().exact().and_then(|more| more.checked_add(buffer.len()));
        let combined = buffer.take_and_continue(incoming);
        Self::with_buffer(combined, length, self.0.idle_timeout, progress)
    }

    pub fn progress(&self) -> &Progress {
        &self.0.progress
    }

    /// Set if the body ended early because of the client.
    pub fn client_fault(&self) -> Option<ClientFault> {
        self.0.client_fault.get().copied()
    }

    /// The length in bytes that the client declared, plus the stored body after [`followed_by`](Self::followed_by).
    /// `None` for a chunked request.
    pub fn length(&self) -> Option<u64> {
        self.0.length
    }

    /// Bytes passed to the latest attempt.
    pub fn bytes_sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Whether the latest attempt received the whole body.
    pub fn is_fully_sent(&self) -> bool {
        self.0.is_fully_sent.load(Ordering::Relaxed)
    }
}

/// One attempt to send the body.
struct Attempt {
    shared: Arc<Shared>,
    number: u64,
    attempts: watch::Receiver<u64>,
    /// Bytes read so far.
    offset: u64,
}

impl Attempt {
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        let shared = self.shared.clone();
        let mut buffer = shared.buffer.lock().await;
        if *self.attempts.borrow() != self.number {
            return Err(Superseded.into());
        }
        let piece = match buffer.read_at(self.offset).await? {
            Some(piece) => Some(piece),
            None => self.receive(&mut buffer).await?,
        };
        shared.progress.record();
        self.offset += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        shared.sent.store(self.offset, Ordering::Relaxed);
        // hyper does not poll past the last byte of a body of known length.
        shared.is_fully_sent.store(piece.is_none() || shared.length == Some(self.offset), Ordering::Relaxed);
        Ok(piece)
    }

    /// Receives the next piece from the client and stores it.
    async fn receive(&mut self, buffer: &mut ReplayBuffer) -> Result<Option<Bytes>, BoxError> {
        // After an error `incoming` yields no more frames, which would look like a complete body.
        if let Some(fault) = self.shared.client_fault.get() {
            return Err((*fault).into());
        }
        let idle_timeout = self.shared.idle_timeout;
        // While regpass waits for the client, the upstream's timeout is paused; the client has its own idle timeout.
        self.shared.progress.pause();
        loop {
            let Some(incoming) = buffer.incoming.as_mut() else { return Ok(None) };
            let frame = tokio::select! {
                biased;
                _ = self.attempts.wait_for(|latest| *latest != self.number) => return Err(Superseded.into()),
                frame = timeout(idle_timeout, incoming.frame()) => frame,
            };
            let fault = match frame {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        buffer.store(&data).await;
                        return Ok(Some(data));
                    }
                    continue;
                }
                Ok(None) => {
                    buffer.incoming = None;
                    return Ok(None);
                }
                Ok(Some(Err(_))) => ClientFault::Broken,
                Err(_) => ClientFault::Idle(idle_timeout),
            };
            return Err((*self.shared.client_fault.get_or_init(|| fault)).into());
        }
    }
}

#[cfg(test)]
mod tests;

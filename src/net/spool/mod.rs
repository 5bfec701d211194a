//! A client's body on its way to a registry, remembered as far as it may have to be sent again.

mod source;

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
use super::error::BoxError;
use super::progress::Progress;
use source::Source;
pub use source::{Lost, SpoolSpace};

/// The body of one request, for one attempt after the other.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Shared>);

/// What the client did wrong while sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientFault {
    #[error("the client stopped sending the body before its end")]
    Broken,
    #[error("the client sent nothing of the body for {} s", .0.as_secs())]
    Idle(Duration),
}

/// Too much was sent already: it is not remembered any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{sent} bytes of the body were sent, and {why}")]
pub struct Spent {
    pub sent: u64,
    pub why: Lost,
}

/// Why a body could not be taken in whole.
#[derive(Debug, thiserror::Error)]
pub enum Swallow {
    #[error("{0}")]
    Client(ClientFault),
    #[error("what was kept of the body cannot be read again")]
    Read(#[source] BoxError),
    #[error("{0}")]
    Spent(#[from] Spent),
}

/// The body is being sent by a later attempt.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("another attempt sends the body")]
struct Superseded;

#[derive(Debug)]
struct Shared {
    source: Mutex<Source>,
    /// Counts attempts; only the latest one reads.
    attempts: watch::Sender<u64>,
    progress: Progress,
    idle: Duration,
    length: Option<u64>,
    /// Of the latest attempt: bytes it was handed, and whether these were all.
    passed: AtomicU64,
    delivered: AtomicBool,
    fault: OnceLock<ClientFault>,
}

impl Spool {
    /// Remembers the first few bytes in memory and the rest, as far as there is space, in an unlinked temporary file.
    /// The client may be silent for `idle`.
    pub fn new(incoming: Incoming, idle: Duration, progress: Progress, space: Arc<SpoolSpace>) -> Self {
        let length = incoming.size_hint().exact();
        Self::of(Source::of(Some(incoming), space), length, idle, progress)
    }

    fn of(source: Source, length: Option<u64>, idle: Duration, progress: Progress) -> Self {
        Self(Arc::new(Shared {
            source: Mutex::new(source),
            attempts: watch::Sender::new(0),
            progress,
            idle,
            length,
            passed: AtomicU64::new(0),
            delivered: AtomicBool::new(false),
            fault: OnceLock::new(),
        }))
    }

    /// Ends the latest attempt, which sends nothing from now on, and tells whether there can be another.
    pub async fn rewind(&self) -> Result<(), Spent> {
        let shared = &self.0;
        shared.attempts.send_modify(|attempts| *attempts += 1);
        match shared.source.lock().await.settle().await {
            Ok(()) => Ok(()),
            Err(why) => Err(Spent { sent: shared.passed.load(Ordering::Relaxed), why }),
        }
    }

    /// Ends the latest attempt and lets go of the client, whose connection would otherwise stay for as long as that of
    /// an upstream which has stopped reading.
    pub fn close(&self) {
        self.0.attempts.send_modify(|attempts| *attempts += 1);
        // Whoever has the lock is the attempt, which sees that it is over.
        if let Ok(mut source) = self.0.source.try_lock() {
            source.incoming = None;
        }
    }

    /// The whole body, from its first byte.
    pub async fn attempt(&self) -> Result<StreamBody, Spent> {
        self.rewind().await?;
        let shared = &self.0;
        shared.passed.store(0, Ordering::Relaxed);
        shared.delivered.store(false, Ordering::Relaxed);
        shared.progress.note();
        let attempts = shared.attempts.subscribe();
        let number = *attempts.borrow();
        let attempt = Attempt { number, attempts, shared: shared.clone(), at: 0 };
        let frames = unfold(attempt, |mut attempt| async move {
            let next = attempt.next().await.transpose()?;
            Some((next.map(Frame::data), attempt))
        });
        Ok(FrameStream::new(frames).boxed_unsync())
    }

    /// Takes in the whole body without sending it.
    pub async fn swallow(&self) -> Result<u64, Swallow> {
        let mut body = self.attempt().await?;
        while let Some(frame) = body.frame().await {
            frame.map_err(|why| self.fault().map_or_else(|| Swallow::Read(why), Swallow::Client))?;
        }
        self.rewind().await?;
        Ok(self.passed())
    }

    /// The same body with another behind it.
    pub async fn followed_by(&self, incoming: Incoming, progress: Progress) -> Self {
        let mut source = self.0.source.lock().await;
        let length = incoming.size_hint().exact().and_then(|more| more.checked_add(source.remembers()));
        let whole = source.go_on_with(incoming);
        Self::of(whole, length, self.0.idle, progress)
    }

    pub fn progress(&self) -> &Progress {
        &self.0.progress
    }

    /// What the client did wrong, if the body ended because of that.
    pub fn fault(&self) -> Option<ClientFault> {
        self.0.fault.get().copied()
    }

    /// How long the client says the body is.
    pub fn length(&self) -> Option<u64> {
        self.0.length
    }

    /// Bytes handed to the latest attempt.
    pub fn passed(&self) -> u64 {
        self.0.passed.load(Ordering::Relaxed)
    }

    /// Whether the latest attempt was handed the whole body.
    pub fn is_delivered(&self) -> bool {
        self.0.delivered.load(Ordering::Relaxed)
    }
}

/// One sending of the body.
struct Attempt {
    shared: Arc<Shared>,
    number: u64,
    attempts: watch::Receiver<u64>,
    /// Bytes sent.
    at: u64,
}

impl Attempt {
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        let shared = self.shared.clone();
        let mut source = shared.source.lock().await;
        if *self.attempts.borrow() != self.number {
            return Err(Superseded.into());
        }
        let piece = match source.remembered(self.at).await? {
            Some(piece) => Some(piece),
            None => self.fresh(&mut source).await?,
        };
        shared.progress.note();
        self.at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        shared.passed.store(self.at, Ordering::Relaxed);
        // Whoever knows the length does not ask for what comes after the last byte.
        shared.delivered.store(piece.is_none() || shared.length == Some(self.at), Ordering::Relaxed);
        Ok(piece)
    }

    async fn fresh(&mut self, source: &mut Source) -> Result<Option<Bytes>, BoxError> {
        // A body that broke off says no more, which looks like an end.
        if let Some(fault) = self.shared.fault.get() {
            return Err((*fault).into());
        }
        let idle = self.shared.idle;
        // Nobody but the client is waited for now.
        self.shared.progress.pause();
        loop {
            let Some(incoming) = source.incoming.as_mut() else { return Ok(None) };
            let frame = tokio::select! {
                biased;
                _ = self.attempts.wait_for(|latest| *latest != self.number) => return Err(Superseded.into()),
                frame = timeout(idle, incoming.frame()) => frame,
            };
            let fault = match frame {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        source.remember(&data).await;
                        return Ok(Some(data));
                    }
                    continue;
                }
                Ok(None) => {
                    source.incoming = None;
                    return Ok(None);
                }
                Ok(Some(Err(_))) => ClientFault::Broken,
                Err(_) => ClientFault::Idle(idle),
            };
            return Err((*self.shared.fault.get_or_init(|| fault)).into());
        }
    }
}

#[cfg(test)]
mod tests;

//! A client's body on its way to a registry, remembered as far as it may have to be sent again.

use std::io::{self, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::unfold;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody as FrameStream};
use hyper::body::Incoming;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use super::body::StreamBody;
use super::error::BoxError;
use super::progress::Progress;

/// The body of one request, for one attempt after the other.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Shared>);

/// How much may be remembered: of one body, and of all of them together.
#[derive(Debug)]
pub struct SpoolSpace {
    each: u64,
    left: AtomicU64,
}

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
#[error("{sent} bytes of the body were sent, and no more than {kept} are kept for sending them again")]
pub struct Spent {
    pub sent: u64,
    pub kept: u64,
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

/// The client's end, and what came from it so far.
#[derive(Debug)]
struct Source {
    /// `None` when everything has come.
    incoming: Option<Incoming>,
    memory: BytesMut,
    file: Option<File>,
    filed: u64,
    /// Whether something came that is not remembered.
    lost: bool,
    space: Arc<SpoolSpace>,
}

impl SpoolSpace {
    /// `each` bytes for one body beyond what fits into memory, and [`BODIES_AT_ONCE`] times as much for all.
    pub fn new(each: u64) -> Self {
        Self { each, left: AtomicU64::new(each.saturating_mul(BODIES_AT_ONCE)) }
    }

    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl Spool {
    /// Remembers the first few bytes in memory and the rest, as far as there is space, in an unlinked temporary file.
    /// The client may be silent for `idle`.
    pub fn new(incoming: Incoming, idle: Duration, progress: Progress, space: Arc<SpoolSpace>) -> Self {
        let length = incoming.size_hint().exact();
        let incoming = Some(incoming);
        let source = Source { incoming, memory: BytesMut::new(), file: None, filed: 0, lost: false, space };
        Self::of(source, length, idle, progress)
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
        let source = shared.source.lock().await;
        if source.lost {
            let kept = source.space.each.saturating_add(IN_MEMORY as u64);
            return Err(Spent { sent: shared.passed.load(Ordering::Relaxed), kept });
        }
        Ok(())
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
        let space = source.space.clone();
        let mut whole = std::mem::replace(
            &mut *source,
            Source { incoming: None, memory: BytesMut::new(), file: None, filed: 0, lost: true, space },
        );
        whole.incoming = Some(incoming);
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

impl Source {
    fn remembers(&self) -> u64 {
        self.memory.len() as u64 + self.filed
    }

    /// What was remembered from the byte `at` on, as much as makes a piece.
    async fn remembered(&mut self, at: u64) -> io::Result<Option<Bytes>> {
        let in_memory = self.memory.len() as u64;
        if at < in_memory {
            let rest = &self.memory[usize::try_from(at).map_err(io::Error::other)?..];
            return Ok(Some(Bytes::copy_from_slice(&rest[..rest.len().min(PIECE)])));
        }
        let (at, end) = (at - in_memory, self.filed);
        let Some(file) = self.file.as_mut().filter(|_| at < end) else { return Ok(None) };
        let mut piece = vec![0; usize::try_from(end - at).unwrap_or(PIECE).min(PIECE)];
        file.seek(SeekFrom::Start(at)).await?;
        file.read_exact(&mut piece).await?;
        if at + piece.len() as u64 == end {
            file.seek(SeekFrom::End(0)).await?;
        }
        Ok(Some(piece.into()))
    }

    /// Keeps a piece for a later attempt, or gives up keeping. A folder that cannot be written is no error: it only
    /// means that less can be sent again.
    async fn remember(&mut self, data: &Bytes) {
        if self.lost {
            return;
        }
        if self.file.is_none() && self.memory.len() + data.len() <= IN_MEMORY {
            self.memory.extend_from_slice(data);
            return;
        }
        // Should the attempt be dropped while it writes, the piece is gone for good.
        self.lost = true;
        if self.file_away(data).await.is_ok() {
            self.lost = false;
        } else {
            self.file = None;
            self.memory = BytesMut::new();
        }
    }

    async fn file_away(&mut self, data: &Bytes) -> io::Result<()> {
        let bytes = data.len() as u64;
        if self.filed + bytes > self.space.each || !self.space.take(bytes) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.filed += bytes;
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = tokio::task::spawn_blocking(tempfile::tempfile).await.map_err(io::Error::other)??;
                let mut file = File::from_std(file);
                file.set_max_buf_size(PIECE);
                none.insert(file)
            }
        };
        file.write_all(data).await?;
        file.flush().await
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.space.left.fetch_add(self.filed, Ordering::Relaxed);
    }
}

/// Small, because hundreds of uploads may go on at once.
const IN_MEMORY: usize = 128 * 1024;
const BODIES_AT_ONCE: u64 = 16;
const PIECE: usize = 64 * 1024;

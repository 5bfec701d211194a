//! A client's body on its way to a registry, remembered as far as it may have to be sent again.

use std::collections::VecDeque;
use std::io::SeekFrom;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody as FrameStream};
use hyper::body::Incoming;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::body::StreamBody;
use super::error::BoxError;

/// The body of one request, for one attempt after the other.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// An attempt gave back what it had not read.
    returned: Notify,
    /// When a piece last moved.
    moved: watch::Sender<Instant>,
    idle: Duration,
    limit: u64,
}

#[derive(Debug)]
struct State {
    /// The client's end, unless an attempt has it.
    incoming: Option<Incoming>,
    ended: bool,
    /// What was read so far, in memory and then in a file; gone once it was too much.
    memory: Vec<Bytes>,
    file: Option<File>,
    kept: u64,
    passed: u64,
    lost: bool,
    fault: Option<ClientFault>,
}

/// What the client did wrong while sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientFault {
    #[error("the client stopped sending the body")]
    Broken,
    #[error("the client sent nothing for {} s", .0.as_secs())]
    Idle(Duration),
}

/// Too much was sent already: it is not remembered any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("more of the body was sent than is kept for a second try")]
pub struct Spent;

impl Spool {
    /// Keeps up to `limit` bytes, the first few of them in memory and the rest in an unlinked temporary file.
    pub fn new(incoming: Incoming, idle: Duration, limit: u64) -> Self {
        let state = State {
            incoming: Some(incoming),
            ended: false,
            memory: Vec::new(),
            file: None,
            kept: 0,
            passed: 0,
            lost: false,
            fault: None,
        };
        let moved = watch::Sender::new(Instant::now());
        Self(Arc::new(Shared { state: Mutex::new(state), returned: Notify::new(), moved, idle, limit }))
    }

    /// The whole body, from its first byte, for one attempt.
    pub async fn attempt(&self) -> Result<StreamBody, Spent> {
        // The attempt before this one may still hold the client's end: its connection is being torn down.
        let returned = async {
            loop {
                let waiting = self.0.returned.notified();
                if self.0.lock().is_here() {
                    return;
                }
                waiting.await;
            }
        };
        timeout(TEARDOWN, returned).await.map_err(|_| Spent)?;
        let (incoming, replay, file) = {
            let mut state = self.0.lock();
            if state.lost {
                return Err(Spent);
            }
            state.passed = 0;
            (state.incoming.take(), VecDeque::from(state.memory.clone()), state.file.take())
        };
        self.0.moved.send_replace(Instant::now());
        let mut attempt = Attempt { shared: self.0.clone(), incoming, replay, file, from_file: 0 };
        attempt.rewind().await.map_err(|_| Spent)?;
        let frames = unfold(attempt, |mut attempt| async move {
            let next = attempt.next().await?;
            Some((next.map(Frame::data), attempt))
        });
        Ok(FrameStream::new(frames).boxed_unsync())
    }

    /// Resolves when nothing has moved for `limit`: neither from the client nor to the registry.
    pub async fn stalled(&self, limit: Duration) {
        let mut moved = self.0.moved.subscribe();
        loop {
            let last = *moved.borrow_and_update();
            if tokio::time::timeout_at(last + limit, moved.changed()).await.is_err() {
                return;
            }
        }
    }

    /// What the client did wrong, if the body ended because of that.
    pub fn fault(&self) -> Option<ClientFault> {
        self.0.lock().fault
    }

    /// Bytes handed to the present attempt.
    pub fn passed(&self) -> u64 {
        self.0.lock().passed
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_here(&self) -> bool {
        self.ended || self.incoming.is_some()
    }
}

/// One sending of the body.
struct Attempt {
    shared: Arc<Shared>,
    incoming: Option<Incoming>,
    replay: VecDeque<Bytes>,
    file: Option<File>,
    /// Bytes of the file still to be read.
    from_file: u64,
}

impl Attempt {
    async fn rewind(&mut self) -> std::io::Result<()> {
        if let Some(file) = &mut self.file {
            file.flush().await?;
            self.from_file = file.seek(SeekFrom::End(0)).await?;
            file.seek(SeekFrom::Start(0)).await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        let piece = match self.remembered().await {
            Ok(Some(piece)) => Some(piece),
            Ok(None) => match self.fresh().await {
                Ok(piece) => piece,
                Err(fault) => {
                    self.shared.lock().fault = Some(fault);
                    return Some(Err(fault.into()));
                }
            },
            Err(error) => return Some(Err(error.into())),
        };
        self.shared.moved.send_replace(Instant::now());
        let piece = piece?;
        self.shared.lock().passed += piece.len() as u64;
        Some(Ok(piece))
    }

    async fn remembered(&mut self) -> std::io::Result<Option<Bytes>> {
        if let Some(piece) = self.replay.pop_front() {
            return Ok(Some(piece));
        }
        let Some(file) = self.file.as_mut().filter(|_| self.from_file > 0) else { return Ok(None) };
        let mut piece = vec![0; PIECE.min(usize::try_from(self.from_file).unwrap_or(PIECE))];
        file.read_exact(&mut piece).await?;
        self.from_file -= piece.len() as u64;
        Ok(Some(piece.into()))
    }

    async fn fresh(&mut self) -> Result<Option<Bytes>, ClientFault> {
        let idle = self.shared.idle;
        loop {
            let Some(incoming) = self.incoming.as_mut() else { return Ok(None) };
            match timeout(idle, incoming.frame()).await {
                Err(_) => return Err(ClientFault::Idle(idle)),
                Ok(Some(Err(_))) => return Err(ClientFault::Broken),
                Ok(None) => {
                    self.incoming = None;
                    self.shared.lock().ended = true;
                    return Ok(None);
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        self.remember(&data).await;
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Keeps a piece for a later attempt, or gives up keeping. A folder that cannot be written is no error: it only
    /// means that less can be sent again.
    async fn remember(&mut self, data: &Bytes) {
        let kept = {
            let mut state = self.shared.lock();
            if state.lost {
                return;
            }
            state.kept += data.len() as u64;
            if state.kept <= IN_MEMORY {
                state.memory.push(data.clone());
                return;
            }
            state.kept
        };
        let written = kept <= self.shared.limit && self.write(data).await.is_ok();
        if !written {
            self.file = None;
            let mut state = self.shared.lock();
            state.lost = true;
            state.memory = Vec::new();
        }
    }

    async fn write(&mut self, data: &Bytes) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = tokio::task::spawn_blocking(tempfile::tempfile).await.map_err(std::io::Error::other)??;
                none.insert(File::from_std(file))
            }
        };
        file.write_all(data).await
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.incoming = self.incoming.take();
            state.file = self.file.take();
        }
        self.shared.returned.notify_waiters();
    }
}

/// Copies of read buffers are kept, so this is small: hundreds of uploads may go on at once.
const IN_MEMORY: u64 = 256 * 1024;
const PIECE: usize = 64 * 1024;
const TEARDOWN: Duration = Duration::from_secs(2);

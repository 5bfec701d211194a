//! What came of a body so far: in memory, then in an unlinked temporary file, then forgotten.

use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tracing::warn;

/// How much may be remembered: of one body, and of all of them together.
#[derive(Debug)]
pub struct SpoolSpace {
    each: u64,
    left: AtomicU64,
}

/// Why not all of a body is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("no more than {0} are kept for sending them again (see 'upload_spool')")]
    TooLong(u64),
    #[error("other bodies take all the space for sending them again")]
    Crowded,
    #[error("the temporary folder takes no more for sending them again ({0}; see TMPDIR)")]
    Unwritable(io::ErrorKind),
}

/// The client's end, and what came from it so far.
#[derive(Debug)]
pub(super) struct Source {
    /// `None` when everything has come.
    pub(super) incoming: Option<Incoming>,
    memory: BytesMut,
    file: Option<File>,
    filed: u64,
    /// What is on its way into the file. Should the attempt be dropped while it writes, the next one writes it again.
    unwritten: Bytes,
    /// Whether the file stands where the next piece belongs.
    at_end: bool,
    /// What was taken of the space.
    taken: u64,
    /// Why something that came is not remembered.
    lost: Option<Lost>,
    space: Arc<SpoolSpace>,
}

impl SpoolSpace {
    /// `each` bytes for one body beyond what fits into memory, and sixteen times as much for all.
    pub fn new(each: u64) -> Self {
        Self { each, left: AtomicU64::new(each.saturating_mul(BODIES_AT_ONCE)) }
    }

    /// How much of one body is remembered.
    pub fn each(&self) -> u64 {
        self.each
    }

    /// How much is remembered beyond what fits into memory, of all bodies together.
    pub fn used(&self) -> u64 {
        self.each.saturating_mul(BODIES_AT_ONCE).saturating_sub(self.left.load(Ordering::Relaxed))
    }

    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl Source {
    pub(super) fn of(incoming: Option<Incoming>, space: Arc<SpoolSpace>) -> Self {
        let (memory, unwritten) = (BytesMut::new(), Bytes::new());
        Self { incoming, memory, file: None, filed: 0, unwritten, at_end: false, taken: 0, lost: None, space }
    }

    pub(super) fn remembers(&self) -> u64 {
        self.memory.len() as u64 + self.filed + self.unwritten.len() as u64
    }

    /// The same with another body behind it; this one is empty from now on.
    pub(super) fn go_on_with(&mut self, incoming: Incoming) -> Self {
        let mut gone = Self::of(None, self.space.clone());
        gone.lost = Some(Lost::TooLong(0));
        let mut whole = std::mem::replace(self, gone);
        whole.incoming = Some(incoming);
        whole
    }

    /// Brings what an attempt left half-done to its end.
    pub(super) async fn settle(&mut self) -> Result<(), Lost> {
        self.try_to_file_away().await;
        self.lost.map_or(Ok(()), Err)
    }

    /// What was remembered from the byte `at` on, as much as makes a piece.
    pub(super) async fn remembered(&mut self, at: u64) -> io::Result<Option<Bytes>> {
        let in_memory = self.memory.len() as u64;
        if at < in_memory {
            let rest = &self.memory[usize::try_from(at).map_err(io::Error::other)?..];
            return Ok(Some(Bytes::copy_from_slice(&rest[..rest.len().min(PIECE)])));
        }
        let (at, end) = (at - in_memory, self.filed);
        let Some(file) = self.file.as_mut().filter(|_| at < end) else { return Ok(None) };
        let mut piece = vec![0; usize::try_from(end - at).unwrap_or(PIECE).min(PIECE)];
        self.at_end = false;
        file.seek(SeekFrom::Start(at)).await?;
        file.read_exact(&mut piece).await?;
        self.at_end = at + piece.len() as u64 == end;
        Ok(Some(piece.into()))
    }

    /// Keeps a piece for a later attempt, or gives up keeping. A folder that cannot be written is no error: it only
    /// means that less can be sent again.
    pub(super) async fn remember(&mut self, data: &Bytes) {
        if self.lost.is_some() {
            return;
        }
        let (first, rest) = data.split_at(data.len().min(IN_MEMORY.saturating_sub(self.memory.len())));
        self.memory.extend_from_slice(first);
        if rest.is_empty() {
            return;
        }
        if let Err(why) = self.make_room(rest.len() as u64) {
            return self.lose(why);
        }
        self.unwritten = data.slice(first.len()..);
        self.try_to_file_away().await;
    }

    fn make_room(&mut self, bytes: u64) -> Result<(), Lost> {
        let each = self.space.each;
        if self.filed + bytes > each {
            return Err(Lost::TooLong(each.saturating_add(IN_MEMORY as u64)));
        }
        if !self.space.take(bytes) {
            return Err(Lost::Crowded);
        }
        self.taken += bytes;
        Ok(())
    }

    async fn try_to_file_away(&mut self) {
        if let Err(error) = self.file_away().await {
            warn!(%error, folder = ?std::env::temp_dir(), "a body cannot be kept for sending it again");
            self.lose(Lost::Unwritable(error.kind()));
        }
    }

    fn lose(&mut self, why: Lost) {
        self.lost = Some(why);
        self.file = None;
        self.memory = BytesMut::new();
        self.unwritten = Bytes::new();
    }

    async fn file_away(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = tokio::task::spawn_blocking(tempfile::tempfile).await.map_err(io::Error::other)??;
                let mut file = File::from_std(file);
                file.set_max_buf_size(PIECE);
                none.insert(file)
            }
        };
        if !self.at_end {
            file.seek(SeekFrom::Start(self.filed)).await?;
        }
        self.at_end = false;
        file.write_all(&self.unwritten).await?;
        file.flush().await?;
        self.at_end = true;
        self.filed += self.unwritten.len() as u64;
        self.unwritten = Bytes::new();
        Ok(())
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.space.left.fetch_add(self.taken, Ordering::Relaxed);
    }
}

/// Small, because hundreds of uploads may go on at once.
pub(super) const IN_MEMORY: usize = 128 * 1024;
const BODIES_AT_ONCE: u64 = 16;
const PIECE: usize = 64 * 1024;

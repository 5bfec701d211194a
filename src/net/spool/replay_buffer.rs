//! The storage of a streamed body: in memory first, then in an unlinked temporary file; dropped if there is no space.

use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tracing::warn;

/// The limits of what is stored in temporary files: for one body, and for all bodies together.
#[derive(Debug)]
pub struct SpoolSpace {
    per_body: u64,
    available: AtomicU64,
}

/// Why a body is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    #[error("only {0} bytes of a body are stored (see `upload_spool`)")]
    BodyTooLarge(u64),
    #[error("other bodies use all of the space for storing bodies (see `upload_spool`)")]
    NoSpaceLeft,
    #[error("the temporary folder cannot store the body ({0}; see TMPDIR)")]
    Unwritable(io::ErrorKind),
}

/// The rest of a client's body that is still to be received, and all bytes received before.
#[derive(Debug)]
pub(super) struct ReplayBuffer {
    /// `None` once the whole body was received, or the spool was closed.
    pub(super) incoming: Option<Incoming>,
    memory: BytesMut,
    file: Option<File>,
    /// Bytes written to the file.
    file_len: u64,
    /// The piece being written to the file. If the attempt is dropped during the write, the next one writes it again.
    pending: Bytes,
    /// Whether the file's position is at its end, where the next piece is written.
    is_at_end: bool,
    /// Bytes reserved of `space`.
    reserved: u64,
    /// Set once the content is gone: dropped because a piece could not be stored, or moved to another buffer.
    error: Option<SpoolError>,
    space: Arc<SpoolSpace>,
}

impl SpoolSpace {
    /// Allows `per_body` bytes in a file for one body, and sixteen times as much for all bodies.
    pub fn new(per_body: u64) -> Self {
        Self { per_body, available: AtomicU64::new(per_body.saturating_mul(MAX_FULL_BODIES)) }
    }

    /// Limit for one body, in bytes beyond those in memory.
    pub fn per_body(&self) -> u64 {
        self.per_body
    }

    /// Bytes reserved in the files of all bodies together.
    pub fn used(&self) -> u64 {
        self.per_body.saturating_mul(MAX_FULL_BODIES).saturating_sub(self.available.load(Ordering::Relaxed))
    }

    /// Reserves `bytes`, or returns `false` if fewer are available.
    fn reserve(&self, bytes: u64) -> bool {
        let subtract = |available: u64| available.checked_sub(bytes);
        self.available.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract).is_ok()
    }
}

impl ReplayBuffer {
    pub(super) fn new(incoming: Option<Incoming>, space: Arc<SpoolSpace>) -> Self {
        let (memory, pending) = (BytesMut::new(), Bytes::new());
        Self { incoming, memory, file: None, file_len: 0, pending, is_at_end: false, reserved: 0, error: None, space }
    }

    /// Bytes stored.
    pub(super) fn len(&self) -> u64 {
        self.memory.len() as u64 + self.file_len + self.pending.len() as u64
    }

    /// Moves the content into a new buffer that continues with `incoming`. This buffer is unusable afterwards.
    pub(super) fn take_and_continue(&mut self, incoming: Incoming) -> Self {
        let mut unusable = Self::new(None, self.space.clone());
        unusable.error = Some(SpoolError::BodyTooLarge(0));
        let mut combined = std::mem::replace(self, unusable);
        combined.incoming = Some(incoming);
        combined
    }

    /// Completes a write that an attempt left unfinished. An error means that the body is not stored.
    pub(super) async fn complete_write(&mut self) -> Result<(), SpoolError> {
        self.write_pending_or_drop().await;
        self.error.map_or(Ok(()), Err)
    }

    /// Reads a stored piece that starts at `offset`. `None` at the end of the stored bytes.
    pub(super) async fn read_at(&mut self, offset: u64) -> io::Result<Option<Bytes>> {
        let in_memory = self.memory.len() as u64;
        if offset < in_memory {
            let rest = &self.memory[usize::try_from(offset).map_err(io::Error::other)?..];
            return Ok(Some(Bytes::copy_from_slice(&rest[..rest.len().min(PIECE)])));
        }
        let (start, end) = (offset - in_memory, self.file_len);
        let Some(file) = self.file.as_mut().filter(|_| start < end) else { return Ok(None) };
        let mut piece = vec![0; usize::try_from(end - start).unwrap_or(PIECE).min(PIECE)];
        self.is_at_end = false;
        file.seek(SeekFrom::Start(start)).await?;
        file.read_exact(&mut piece).await?;
        self.is_at_end = start + piece.len() as u64 == end;
        Ok(Some(piece.into()))
    }

    /// Stores a piece for a later attempt. If that fails, drops the whole content, which is not an error yet: the
    /// current attempt can still send the body.
    pub(super) async fn store(&mut self, data: &Bytes) {
        if self.error.is_some() {
            return;
        }
        let (first, rest) = data.split_at(data.len().min(IN_MEMORY.saturating_sub(self.memory.len())));
        self.memory.extend_from_slice(first);
        if rest.is_empty() {
            return;
        }
        if let Err(error) = self.reserve(rest.len() as u64) {
            return self.drop_content(error);
        }
        self.pending = data.slice(first.len()..);
        self.write_pending_or_drop().await;
    }

    fn reserve(&mut self, bytes: u64) -> Result<(), SpoolError> {
        let per_body = self.space.per_body;
        if self.file_len + bytes > per_body {
            return Err(SpoolError::BodyTooLarge(per_body.saturating_add(IN_MEMORY as u64)));
        }
        if !self.space.reserve(bytes) {
            return Err(SpoolError::NoSpaceLeft);
        }
        self.reserved += bytes;
        Ok(())
    }

    async fn write_pending_or_drop(&mut self) {
        if let Err(error) = self.write_pending().await {
            warn!(%error, folder = ?std::env::temp_dir(), "cannot store a request body in a temporary file, so it cannot be sent again; free space in the folder, or set TMPDIR");
            self.drop_content(SpoolError::Unwritable(error.kind()));
        }
    }

    fn drop_content(&mut self, error: SpoolError) {
        self.error = Some(error);
        self.file = None;
        self.memory = BytesMut::new();
        self.pending = Bytes::new();
    }

    async fn write_pending(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
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
        if !self.is_at_end {
            file.seek(SeekFrom::Start(self.file_len)).await?;
        }
        self.is_at_end = false;
        file.write_all(&self.pending).await?;
        file.flush().await?;
        self.is_at_end = true;
        self.file_len += self.pending.len() as u64;
        self.pending = Bytes::new();
        Ok(())
    }
}

impl Drop for ReplayBuffer {
    fn drop(&mut self) {
        self.space.available.fetch_add(self.reserved, Ordering::Relaxed);
    }
}

/// Bytes of each body kept in memory. Small, because hundreds of uploads may run at once.
pub(super) const IN_MEMORY: usize = 128 * 1024;
/// How many bodies of the maximum size fit into the space.
const MAX_FULL_BODIES: u64 = 16;
/// Bytes of the largest piece that is read or written at once.
const PIECE: usize = 64 * 1024;

//! Blobs. A synthetic blob is generated while it is sent, so that gigabytes cost no memory.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use sha2::{Digest, Sha256, Sha512};

#[derive(Clone, Debug)]
pub struct Blob {
    pub digest: String,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Bytes(Bytes),
    /// The first `len` bytes of a repeated pseudo-random pattern.
    Pattern {
        len: u64,
    },
    /// A pushed blob that was only counted and hashed.
    Discarded {
        len: u64,
    },
}

impl Blob {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: sha256(&bytes), content: Content::Bytes(bytes) }
    }

    /// Random bytes, the same for the same seed.
    pub fn random(seed: u64, len: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self::new((0..len).map(|_| random.u8(..)).collect::<Vec<u8>>())
    }

    /// A blob of `len` bytes that are generated when they are read. Computing its digest takes seconds per gigabyte.
    pub fn synthetic(len: u64) -> Self {
        let mut hasher = Sha256::new();
        let mut slice = Slice { content: Content::Pattern { len }, start: 0, end: len };
        while let Some(piece) = slice.take_piece(len) {
            hasher.update(&piece);
        }
        Self::synthetic_as(len, &format!("sha256:{}", hex(&hasher.finalize())))
    }

    /// A synthetic blob with a given digest, which need not be the right one.
    pub fn synthetic_as(len: u64, digest: &str) -> Self {
        Self { digest: digest.to_owned(), content: Content::Pattern { len } }
    }

    /// A blob whose digest has been computed already.
    pub(in super::super) fn hashed(bytes: Bytes, digest: String) -> Self {
        Self { digest, content: Content::Bytes(bytes) }
    }

    /// A blob without its bytes, for presets that do not keep them.
    pub(in super::super) fn discarded(len: u64, digest: String) -> Self {
        Self { digest, content: Content::Discarded { len } }
    }

    pub fn len(&self) -> u64 {
        self.content.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole content. Panics for a pushed blob whose bytes the preset does not keep.
    pub fn slice(&self) -> Slice {
        assert!(
            !matches!(self.content, Content::Discarded { .. }),
            "the preset does not keep the bytes of the pushed blob {}",
            self.digest
        );
        Slice { content: self.content.clone(), start: 0, end: self.len() }
    }
}

impl Content {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern { len } | Self::Discarded { len } => *len,
        }
    }
}

/// A part of a blob, or of a reply body, read piece by piece.
#[derive(Clone)]
pub struct Slice {
    content: Content,
    start: u64,
    end: u64,
}

impl Slice {
    pub fn empty() -> Self {
        Self::whole_bytes(Bytes::new())
    }

    pub fn whole_bytes(bytes: Bytes) -> Self {
        Self { start: 0, end: bytes.len() as u64, content: Content::Bytes(bytes) }
    }

    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes `first..=last` of this slice.
    #[must_use]
    pub fn part(mut self, first: u64, last: u64) -> Self {
        self.end = self.start + last + 1;
        self.start += first;
        self
    }

    /// The whole slice in one buffer: for documents and small blobs.
    pub fn to_bytes(&self) -> Bytes {
        let (mut rest, mut all) = (self.clone(), Vec::new());
        while let Some(piece) = rest.take_piece(u64::MAX) {
            all.extend_from_slice(&piece);
        }
        all.into()
    }

    /// Takes the next bytes, at most `max` of them; `None` at the end.
    pub fn take_piece(&mut self, max: u64) -> Option<Bytes> {
        let len = self.len().min(max);
        if len == 0 {
            return None;
        }
        let piece = match &self.content {
            Content::Bytes(bytes) => bytes.slice(index(self.start)..index(self.start + len)),
            Content::Pattern { .. } => pattern_piece(self.start, len),
            Content::Discarded { .. } => unreachable!("discarded content has no slices"),
        };
        self.start += piece.len() as u64;
        Some(piece)
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// The length of the pattern in bytes. It is prime, so that a piece at a wrong offset never looks right by chance, as it
/// would with a power of two.
const PATTERN_LEN: u64 = 1_048_573;

fn pattern_piece(start: u64, len: u64) -> Bytes {
    static BLOCK: OnceLock<Bytes> = OnceLock::new();
    let block = BLOCK.get_or_init(|| {
        let mut random = fastrand::Rng::with_seed(0);
        (0..PATTERN_LEN).map(|_| random.u8(..)).collect()
    });
    let offset = start % PATTERN_LEN;
    block.slice(index(offset)..index((offset + len).min(PATTERN_LEN)))
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset fits a machine word")
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// The SHA-512 digest of `bytes`.
pub fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

pub(in super::super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

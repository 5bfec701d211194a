//! Digests of the files a configuration is read from, to notice changes.
//!
//! The files are read every second and compared by content. Unlike file system events, this works on every mount and
//! for every way of changing a file, including Kubernetes, which swaps a symlink in the path.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The SHA-256 digest of the file at each path; `None` if it cannot be read or is not a regular file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDigests(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl FileDigests {
    /// Reads the files; blocking.
    pub(super) fn read(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().map(|path| (digest(&path), path)).map(|(digest, path)| (path, digest)).collect())
    }

    /// Reads the same files again; blocking.
    pub(super) fn read_again(&self) -> Self {
        Self::read(self.0.keys().cloned())
    }

    /// Adds the files of `other`.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// The digest of a file; `None` if it cannot be read. `None` also for anything but a regular file, because a pipe can
/// be read only once, and the configuration itself has to be read from it.
fn digest(path: &Path) -> Option<[u8; 32]> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    Some(Sha256::digest(fs::read(path).ok()?).into())
}

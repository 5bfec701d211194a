//! Which files a configuration is made of, and whether they are still what they were.
//!
//! They are read every second and compared by content. That works on every mount and for every way of changing a file,
//! kubernetes' swap of a symlink above it included, where event sources go deaf.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What was found at each path: a digest, or nothing where nothing could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl Files {
    /// Reads them all; blocking.
    pub(super) fn read(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().map(|path| (digest(&path), path)).map(|(digest, path)| (path, digest)).collect())
    }

    /// The same files as they are now; blocking.
    pub(super) fn read_again(&self) -> Self {
        Self::read(self.0.keys().cloned())
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// A pipe can be read once, and was.
fn digest(path: &Path) -> Option<[u8; 32]> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    Some(Sha256::digest(fs::read(path).ok()?).into())
}

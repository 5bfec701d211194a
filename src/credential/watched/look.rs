//! One look at a file: is it there, is it another one than before, what is in it.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Parse;
use crate::base::clock::WallClock;
use crate::credential::CredentialError;

/// What tells one content of a file from the next without reading it.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    resolved: PathBuf,
    /// Device, inode, size, and the times of the last write and of the last change to anything.
    numbers: [i128; 5],
    /// Whether a later change must show. File times are coarse: a file written twice within one tick looks the same,
    /// so one that was written just now is read once more.
    pub(super) settled: bool,
}

impl Stamp {
    fn new(resolved: PathBuf, metadata: &Metadata) -> Self {
        let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let changed = nanos(metadata.ctime(), metadata.ctime_nsec());
        let numbers = [
            metadata.dev().into(),
            metadata.ino().into(),
            metadata.size().into(),
            nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed,
        ];
        let now = i128::try_from(WallClock::System.unix_time().as_nanos()).unwrap_or(i128::MAX);
        let settled = now.abs_diff(changed) > COARSEST_TICK.as_nanos();
        Self { resolved, numbers, settled }
    }

    pub(super) fn same_file(&self, other: &Self) -> bool {
        (&self.resolved, self.numbers) == (&other.resolved, other.numbers)
    }
}

/// What there is to see at a path.
pub(super) enum Look<T> {
    Unchanged,
    Read { value: T, stamp: Stamp, digest: [u8; 32] },
    Missing,
    Failed { error: CredentialError, stamp: Option<Stamp> },
}

/// Looks at the file, and reads it unless it is `known`. Blocks.
pub(super) fn look<T>(path: &Path, parse: Parse<T>, known: Option<&Stamp>) -> Look<T> {
    let stamp = match fs::canonicalize(path).and_then(|resolved| {
        let metadata = fs::metadata(&resolved)?;
        Ok((metadata.is_file(), Stamp::new(resolved, &metadata)))
    }) {
        Ok((true, stamp)) => stamp,
        // Opening a pipe would wait for its other end.
        Ok((false, stamp)) => {
            let error = CredentialError::new(format!("{} is not a regular file", path.display()));
            return Look::Failed { error, stamp: Some(stamp) };
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Look::Missing,
        Err(error) => return Look::Failed { error: unreadable(path, &error), stamp: None },
    };
    if known.is_some_and(|known| known.same_file(&stamp)) {
        return Look::Unchanged;
    }
    match read(&stamp.resolved) {
        Ok(bytes) if bytes.len() as u64 > LARGEST => {
            let error = CredentialError::new(format!("{} is larger than {LARGEST} bytes", path.display()));
            Look::Failed { error, stamp: Some(stamp) }
        }
        Ok(bytes) => match parse(path, &bytes) {
            Ok(value) => Look::Read { value, stamp, digest: Sha256::digest(&*bytes).into() },
            Err(error) => Look::Failed { error, stamp: Some(stamp) },
        },
        Err(error) => Look::Failed { error: unreadable(path, &error), stamp: Some(stamp) },
    }
}

/// One byte more than allowed tells a file that is too large. The buffer never grows, so nothing is left behind in
/// memory that is not wiped.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let expected = file.metadata()?.len().min(LARGEST) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or_default()));
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> CredentialError {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "; let the user that regpass runs as read it",
        _ => "",
    };
    CredentialError::new(format!("cannot read {}: {error}{hint}", path.display()))
}

const COARSEST_TICK: Duration = Duration::from_secs(2);
pub(super) const LARGEST: u64 = 1024 * 1024;

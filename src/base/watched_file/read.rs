//! One check of a watched file: whether it exists, whether it changed, and what it contains.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Failure, FileError, Parse};
use crate::base::clock::WallClock;
use crate::base::file_text::{FileTextError, decode, read_bytes};

/// Identifies one version of a file without reading it.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    /// The path with all symlinks followed.
    resolved: PathBuf,
    /// Device, inode, size, and the times of the last modification and of the last status change.
    numbers: [i128; 5],
    /// Whether any later change will show in `numbers`. File times are coarse: a file written twice within one tick
    /// looks the same, so a file that was written just now has to be read once more.
    pub(super) is_settled: bool,
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
        let is_settled = now.abs_diff(changed) > COARSEST_TICK.as_nanos();
        Self { resolved, numbers, is_settled }
    }

    pub(super) fn is_same_version(&self, other: &Self) -> bool {
        (&self.resolved, self.numbers) == (&other.resolved, other.numbers)
    }
}

/// The outcome of one check.
pub(super) enum Outcome<T> {
    Unchanged,
    Read { value: T, stamp: Stamp, digest: [u8; 32] },
    Failed(Failure),
}

/// Checks the file, and reads and parses it unless it is still the `known` version. Blocks.
pub(super) fn read_if_changed<T>(path: &Path, parse: Parse<T>, known: Option<&Stamp>) -> Outcome<T> {
    let failed = |error, stamp| Outcome::Failed(Failure { error, stamp });
    let stamp = match fs::canonicalize(path).and_then(|resolved| {
        let metadata = fs::metadata(&resolved)?;
        Ok((metadata.file_type(), Stamp::new(resolved, &metadata)))
    }) {
        Ok((kind, stamp)) if kind.is_file() => stamp,
        // Opening a named pipe would block until it has a writer.
        Ok((kind, stamp)) => {
            let what = if kind.is_dir() { "is a folder; name the file in it" } else { "is not a regular file" };
            return failed(FileError::new(format!("{} {what}", path.display())), Some(stamp));
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return failed(FileError::Missing(path.to_owned()), None);
        }
        Err(error) => return failed(unreadable(path, &error), None),
    };
    if known.is_some_and(|known| known.is_same_version(&stamp)) {
        return Outcome::Unchanged;
    }
    let bytes = match read_bytes(&stamp.resolved, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(FileTextError::Io(error)) => return failed(unreadable(path, &error), Some(stamp)),
        Err(error) => return failed(FileError::new(format!("{} {error}", path.display())), Some(stamp)),
    };
    let parsed = decode(&bytes).map_err(|error| FileError::new(format!("{} {error}", path.display())));
    match parsed.and_then(|text| parse(path, &text)) {
        Ok(value) => Outcome::Read { value, stamp, digest: Sha256::digest(&*bytes).into() },
        Err(error) => failed(error, Some(stamp)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> FileError {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "; give read permission to the user that regpass runs as",
        _ => "",
    };
    FileError::new(format!("cannot read {}: {error}{hint}", path.display()))
}

/// The coarsest resolution of file times on common file systems (2 s on FAT).
const COARSEST_TICK: Duration = Duration::from_secs(2);
/// Bytes. The largest file that is accepted.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

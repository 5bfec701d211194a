//! One check of a watched file: whether it exists, whether it changed, and what it contains.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Failure, FileError, Parse};
use crate::base::clock::WallClock;

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
        Ok((metadata.is_file(), Stamp::new(resolved, &metadata)))
    }) {
        Ok((true, stamp)) => stamp,
        // Opening a named pipe would block until it has a writer.
        Ok((false, stamp)) => {
            return failed(FileError::new(format!("{} is not a regular file", path.display())), Some(stamp));
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return failed(FileError::Missing(path.to_owned()), None);
        }
        Err(error) => return failed(unreadable(path, &error), None),
    };
    if known.is_some_and(|known| known.is_same_version(&stamp)) {
        return Outcome::Unchanged;
    }
    match read(&stamp.resolved) {
        Ok(bytes) if bytes.len() as u64 > MAX_BYTES => {
            failed(FileError::new(format!("{} is larger than {MAX_BYTES} bytes", path.display())), Some(stamp))
        }
        Ok(bytes) => match parse(path, &bytes) {
            Ok(value) => Outcome::Read { value, stamp, digest: Sha256::digest(&*bytes).into() },
            Err(error) => failed(error, Some(stamp)),
        },
        Err(error) => failed(unreadable(path, &error), Some(stamp)),
    }
}

/// Reads at most one byte more than allowed, so that the caller can tell that the file is too large. The buffer is
/// allocated once: growing it would leave copies of a secret in memory that are not wiped.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let expected = file.metadata()?.len().min(MAX_BYTES) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or_default()));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
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

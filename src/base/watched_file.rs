//! A file that is re-read when it changes, and its last good content.
//!
//! There is no watcher task and no event source. [`WatchedFile::current`] checks the file's metadata at most once a
//! second and reads the file when they differ from before. This works on every mount and for every way of changing a
//! file: writing in place, renaming over it as editors do, or swapping a symlink above it as Kubernetes does.

mod read;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use self::read::{Outcome, Stamp, read_if_changed};

/// A file, how to parse it, and the value last parsed from it. The check runs on a task of its own, so a caller that
/// stops waiting interrupts nothing.
pub struct WatchedFile<T>(Arc<Shared<T>>);

/// Parses a file's text. The path is for the message of the error.
pub type Parse<T> = fn(&Path, &str) -> Result<T, FileError>;

/// Why a file has no usable content. Messages name the file and what to do, and never quote the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error(
        "{} does not exist; create it or correct the path in the configuration (regpass keeps checking for it)",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("{0}")]
    Unusable(String),
}

/// What is wrong with a file now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// Which file, what is wrong, and what to do; never its content.
    pub message: String,
    /// Whether an earlier good content of the file is still in use.
    pub has_last_good: bool,
}

struct Shared<T> {
    path: PathBuf,
    parse: Parse<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    good: Option<Arc<T>>,
    failure: Option<Failure>,
    /// The version of the file that `good` or `failure` comes from.
    stamp: Option<Stamp>,
    digest: [u8; 32],
    checked: Option<Instant>,
    check: Option<Check>,
}

/// A running check of the file. The channel closes when the check ends, also when it panics.
#[derive(Clone)]
struct Check {
    since: Instant,
    over: watch::Receiver<()>,
}

/// A failed check, and the version of the file that it saw, if there was one.
#[derive(Debug)]
struct Failure {
    error: FileError,
    stamp: Option<Stamp>,
}

impl FileError {
    pub fn new(message: impl Into<String>) -> Self {
        Self::Unusable(message.into())
    }
}

impl<T: Send + Sync + 'static> WatchedFile<T> {
    /// Does not read the file yet.
    pub fn new(path: PathBuf, parse: Parse<T>) -> Self {
        let state = State { good: None, failure: None, stamp: None, digest: [0; 32], checked: None, check: None };
        Self(Arc::new(Shared { path, parse, state: Mutex::new(state) }))
    }

    /// The file's value, at most a second old; the last good value while the file is missing, broken or slow to read.
    /// An error if there never was a good value.
    ///
    /// Returns the same value (in the sense of `Arc::ptr_eq`) until the file is written again.
    pub async fn current(&self) -> Result<Arc<T>, FileError> {
        if let Some(mut check) = self.running_check() {
            // Whether the check ended or timed out, the state has the best value there is.
            _ = timeout_at(check.since + CHECK_TIMEOUT, check.over.changed()).await;
        }
        self.0.state().value(&self.0.path)
    }

    /// What is wrong with the file now. A missing file is a problem if it `is_required` or was read successfully
    /// before.
    pub async fn problem(&self, is_required: bool) -> Option<FileProblem> {
        let error = match self.current().await {
            Err(FileError::Missing(_)) if !is_required => return None,
            current => current.err(),
        };
        let state = self.0.state();
        let error = state.failure.as_ref().map(|failure| failure.error.clone()).or(error)?;
        Some(FileProblem { message: error.to_string(), has_last_good: state.good.is_some() })
    }

    /// The check to wait for: the one already running, or a new one. `None` if the last one ended within a second.
    fn running_check(&self) -> Option<Check> {
        let mut state = self.0.state();
        if let Some(check) = &state.check
            && check.over.has_changed().is_ok()
        {
            return Some(check.clone());
        }
        let now = Instant::now();
        if state.checked.is_some_and(|checked| now < checked + INTERVAL) {
            return None;
        }
        let (running, over) = watch::channel(());
        let check = Check { since: now, over };
        state.check = Some(check.clone());
        tokio::spawn(self.0.clone().check(now, running));
        Some(check)
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn check(self: Arc<Self>, now: Instant, running: watch::Sender<()>) {
        let (path, parse) = (self.path.clone(), self.parse);
        let known = self.state().stamp_if_reusable().cloned();
        if let Ok(outcome) = spawn_blocking(move || read_if_changed(&path, parse, known.as_ref())).await {
            self.state().apply(now, outcome, &self.path);
        }
        drop(running);
    }
}

impl<T> State<T> {
    /// The version of the file that need not be read again. After a failure the file is always read again, because the
    /// cause may lie outside the file.
    fn stamp_if_reusable(&self) -> Option<&Stamp> {
        self.stamp.as_ref().filter(|stamp| self.failure.is_none() && stamp.is_settled)
    }

    fn value(&self, path: &Path) -> Result<Arc<T>, FileError> {
        match (&self.good, &self.failure) {
            (Some(good), _) => Ok(good.clone()),
            (None, Some(failure)) => Err(failure.error.clone()),
            (None, None) => Err(FileError::new(format!(
                "cannot read {} within {} s; check the file system it is on",
                path.display(),
                CHECK_TIMEOUT.as_secs()
            ))),
        }
    }

    fn apply(&mut self, now: Instant, outcome: Outcome<T>, path: &Path) {
        self.checked = Some(now);
        let failure = match outcome {
            Outcome::Unchanged => return,
            Outcome::Read { value, stamp, digest } => {
                let is_same_file = self.stamp.as_ref().is_some_and(|before| before.is_same_version(&stamp));
                if self.failure.is_none() && is_same_file && self.digest == digest {
                    self.stamp = Some(stamp);
                    return;
                }
                if self.failure.take().is_some() {
                    info!(file = %path.display(), "the file can be read again; its new content is in use");
                } else if self.good.is_some() {
                    info!(file = %path.display(), "the file changed; its new content is in use");
                }
                self.good = Some(Arc::new(value));
                self.stamp = Some(stamp);
                self.digest = digest;
                return;
            }
            Outcome::Failed(failure) => failure,
        };
        let is_new = !self.failure.as_ref().is_some_and(|before| before.is_same(&failure));
        if is_new && self.good.is_some() {
            let error = failure.error.to_string();
            warn!(file = %path.display(), blame = "credential", error, "cannot use the file; its last good content stays in use");
        }
        self.failure = Some(failure);
    }
}

impl Failure {
    fn is_same(&self, other: &Self) -> bool {
        let is_same_version = match (&self.stamp, &other.stamp) {
            (Some(one), Some(other)) => one.is_same_version(other),
            (None, None) => true,
            _ => false,
        };
        is_same_version && self.error == other.error
    }
}

impl<T> fmt::Debug for WatchedFile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WatchedFile").field(&self.0.path).finish()
    }
}

/// The shortest time between two checks of a file. Without callers there are no checks.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a caller waits for a check, such as one on a network file system that hangs.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;

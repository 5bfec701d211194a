//! A file whose content is wanted as it is now.
//!
//! There is no watcher task and no event source: the file is looked at when it is used or its troubles are asked for, at
//! most once a second, and read when it is another one than before. That works on every mount, and for every way of
//! changing a file: in place, by renaming over it as editors do, by swapping a symlink above it as kubernetes does.

mod look;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use self::look::{Look, Stamp, look};
use super::CredentialError;

/// A file and what was last read from it.
pub struct Watched<T>(Arc<Shared<T>>);

/// What a file's bytes mean. The path is for the error's text.
pub type Parse<T> = fn(&Path, &[u8]) -> Result<T, CredentialError>;

/// What is wrong with a file now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    /// What it is, where, and what to do; never a secret.
    pub what: String,
    /// Whether what was last read from it stays in force; nothing may ever have been.
    pub kept: bool,
}

/// Why there is nothing, not even something older.
#[derive(Clone, Debug)]
pub(super) enum Lacking {
    Missing,
    Failed(CredentialError),
}

struct Shared<T> {
    path: PathBuf,
    parse: Parse<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    good: Option<Arc<T>>,
    trouble: Option<Trouble>,
    /// The file that `good` or `trouble` comes from.
    stamp: Option<Stamp>,
    digest: [u8; 32],
    checked: Option<Instant>,
    check: Option<Check>,
}

/// A look at the file under way on its own task. The channel closes when it is over, also when it panics.
#[derive(Clone)]
struct Check {
    since: Instant,
    over: watch::Receiver<()>,
}

#[derive(Debug)]
enum Trouble {
    Missing,
    Failed { error: CredentialError, stamp: Option<Stamp> },
}

impl<T: Send + Sync + 'static> Watched<T> {
    pub fn new(path: PathBuf, parse: Parse<T>) -> Self {
        let state = State { good: None, trouble: None, stamp: None, digest: [0; 32], checked: None, check: None };
        Self(Arc::new(Shared { path, parse, state: Mutex::new(state) }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// The file's content, at most a second old. What was last good, while the file is missing, broken or slow.
    ///
    /// The same value (in the sense of `Arc::ptr_eq`) until the file is written again.
    pub(super) async fn current(&self) -> Result<Arc<T>, Lacking> {
        if let Some(mut check) = self.check_under_way() {
            // Closed or late: either way the state now says what there is to say.
            _ = timeout_at(check.since + PATIENCE, check.over.changed()).await;
        }
        self.0.state().answer(&self.0.path)
    }

    /// The file's content, at most a second old, where the file has to be there. What was last good, while it is missing,
    /// broken or slow.
    pub async fn required(&self) -> Result<Arc<T>, CredentialError> {
        self.current().await.map_err(|lacking| match lacking {
            Lacking::Missing => missing(self.path()),
            Lacking::Failed(error) => error,
        })
    }

    /// What is wrong with the file as it is now. One that is `named` has to be there; another may be missing as long as
    /// nothing was read from it.
    pub async fn trouble(&self, named: bool) -> Option<BadFile> {
        let lacking = match self.current().await {
            Err(Lacking::Missing) if !named => return None,
            current => current.err(),
        };
        let state = self.0.state();
        let what = match (&state.trouble, lacking) {
            (Some(Trouble::Failed { error, .. }), _) => error.what.clone(),
            (None, Some(Lacking::Failed(error))) => error.what,
            (Some(Trouble::Missing), _) | (None, Some(Lacking::Missing)) => missing(self.path()).what,
            (None, None) => return None,
        };
        Some(BadFile { what, kept: state.good.is_some() })
    }

    /// The look to wait for: one that somebody started, or a new one when it is time.
    fn check_under_way(&self) -> Option<Check> {
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
        let known = self.state().known().cloned();
        if let Ok(look) = spawn_blocking(move || look(&path, parse, known.as_ref())).await {
            self.state().settle(now, look, &self.path);
        }
        drop(running);
    }
}

impl<T> State<T> {
    /// The file that need not be read again. One in trouble is always read again: what was wrong may be around it.
    fn known(&self) -> Option<&Stamp> {
        self.stamp.as_ref().filter(|stamp| self.trouble.is_none() && stamp.settled)
    }

    fn answer(&self, path: &Path) -> Result<Arc<T>, Lacking> {
        match (&self.good, &self.trouble) {
            (Some(good), _) => Ok(good.clone()),
            (None, Some(Trouble::Missing)) => Err(Lacking::Missing),
            (None, Some(Trouble::Failed { error, .. })) => Err(Lacking::Failed(error.clone())),
            (None, None) => Err(Lacking::Failed(CredentialError::new(format!(
                "{} cannot be read within {} s; look at the file system it is on",
                path.display(),
                PATIENCE.as_secs()
            )))),
        }
    }

    fn settle(&mut self, now: Instant, look: Look<T>, path: &Path) {
        self.checked = Some(now);
        let trouble = match look {
            Look::Unchanged => return,
            Look::Read { value, stamp, digest } => {
                let same_file = self.stamp.as_ref().is_some_and(|before| before.same_file(&stamp));
                if self.trouble.is_none() && same_file && self.digest == digest {
                    self.stamp = Some(stamp);
                    return;
                }
                if self.trouble.take().is_some() {
                    info!(file = %path.display(), "the file is readable");
                } else if self.good.is_some() {
                    info!(file = %path.display(), "the file changed and is in force");
                }
                self.good = Some(Arc::new(value));
                self.stamp = Some(stamp);
                self.digest = digest;
                return;
            }
            Look::Missing => Trouble::Missing,
            Look::Failed { error, stamp } => Trouble::Failed { error, stamp },
        };
        let news = !self.trouble.as_ref().is_some_and(|before| before.same(&trouble));
        if news && self.good.is_some() {
            let error = match &trouble {
                Trouble::Missing => missing(path).what,
                Trouble::Failed { error, .. } => error.what.clone(),
            };
            warn!(file = %path.display(), blame = "credential", error, "what was last read from the file stays in force");
        }
        self.trouble = Some(trouble);
    }
}

impl Trouble {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missing, Self::Missing) => true,
            (Self::Failed { error, stamp }, Self::Failed { error: other, stamp: theirs }) => {
                let same_file = match (stamp, theirs) {
                    (Some(stamp), Some(theirs)) => stamp.same_file(theirs),
                    (None, None) => true,
                    _ => false,
                };
                same_file && error.what == other.what
            }
            _ => false,
        }
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.0.path).finish()
    }
}

fn missing(path: &Path) -> CredentialError {
    CredentialError::new(format!(
        "{} does not exist; create it or correct the path in the configuration (it is looked for again all the time)",
        path.display()
    ))
}

const INTERVAL: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;

//! State of the configuration: when it became active, why a newer one is rejected, and which of its files are unusable.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::metrics::Metrics;
use crate::base::clock::WallClock;

/// History and problems of the configuration, for the status page, `/readyz` and metrics.
#[derive(Debug)]
pub struct Reloads {
    metrics: Arc<Metrics>,
    clock: WallClock,
    state: Mutex<ReloadState>,
}

/// The state at one moment. Times are since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadState {
    /// When the active configuration became active.
    pub active_since: Duration,
    /// How often the configuration was replaced since the process started.
    pub times_replaced: u64,
    /// Set while the configuration in the files cannot become active.
    pub rejected: Option<RejectedConfiguration>,
    /// Files of the active configuration that are unusable now.
    pub file_problems: Vec<FileProblem>,
}

/// A configuration that could not become active. The previous one stays active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedConfiguration {
    /// When a configuration was first rejected since the last one that became active.
    pub since: Duration,
    /// All problems of the configuration, as `regpass check` prints them. Contains no secrets.
    pub problems: Box<str>,
}

/// A file of the active configuration that is unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// When the problem was first noticed.
    pub since: Duration,
    pub file: UnusableFile,
}

/// An unusable file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableFile {
    /// The configuration key that names the file.
    pub key: Box<str>,
    /// What is wrong and what to do. Contains no secrets.
    pub message: Box<str>,
    /// Whether earlier content stays in use. `false` when the file was never read successfully.
    pub has_last_good: bool,
}

impl Reloads {
    pub fn new(metrics: Arc<Metrics>, clock: WallClock) -> Self {
        metrics.set_configuration_good(true);
        let state = ReloadState {
            active_since: clock.unix_time(),
            times_replaced: 0,
            rejected: None,
            file_problems: Vec::new(),
        };
        Self { metrics, clock, state: Mutex::new(state) }
    }

    pub fn state(&self) -> ReloadState {
        self.lock().clone()
    }

    /// Notes that a new configuration became active.
    pub fn note_replaced(&self) {
        let mut state = self.lock();
        state.active_since = self.clock.unix_time();
        state.times_replaced += 1;
        state.rejected = None;
        self.metrics.reload("replaced");
        self.update_gauge(&state);
    }

    /// Notes that a new configuration was rejected because of `problems`.
    pub fn note_rejected(&self, problems: impl Into<Box<str>>) {
        let problems = problems.into();
        let mut state = self.lock();
        let since = state.rejected.as_ref().map_or_else(|| self.clock.unix_time(), |rejected| rejected.since);
        state.rejected = Some(RejectedConfiguration { since, problems });
        self.metrics.reload("refused");
        self.update_gauge(&state);
    }

    /// Replaces the list of unusable files. Returns the entries that the old list did not have.
    pub fn set_unusable_files(&self, files: Vec<UnusableFile>) -> Vec<UnusableFile> {
        let mut state = self.lock();
        let before = std::mem::take(&mut state.file_problems);
        let known_since =
            |file: &UnusableFile| before.iter().find(|known| known.file == *file).map(|known| known.since);
        let new = files.iter().filter(|file| known_since(file).is_none()).cloned().collect();
        let problem = |file| FileProblem { since: known_since(&file).unwrap_or_else(|| self.clock.unix_time()), file };
        state.file_problems = files.into_iter().map(problem).collect();
        self.update_gauge(&state);
        new
    }

    fn update_gauge(&self, state: &ReloadState) {
        self.metrics.set_configuration_good(state.rejected.is_none() && state.file_problems.is_empty());
    }

    fn lock(&self) -> MutexGuard<'_, ReloadState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

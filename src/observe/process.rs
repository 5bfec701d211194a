//! State of the process: its stage, open listeners and uptime.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock::WallClock;

/// State of the process, which `serve` sets and the admin endpoints report.
#[derive(Debug)]
pub struct Process {
    started: Instant,
    /// Since 1970.
    started_at: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listeners: Option<Vec<OpenListener>>,
    is_draining: bool,
}

/// An open listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenListener {
    pub address: Box<str>,
    /// Whether it is the admin listener.
    pub admin: bool,
    /// The registry, if the listener serves only one.
    pub registry: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The listeners are not open yet.
    Starting,
    Serving,
    /// No new connections are accepted; requests in flight may finish.
    Draining,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
        }
    }
}

impl Process {
    pub fn new(clock: WallClock) -> Self {
        Self { started: Instant::now(), started_at: clock.unix_time(), state: Mutex::default() }
    }

    /// Replaces the list of open listeners.
    pub fn set_listeners(&self, listeners: Vec<OpenListener>) {
        self.lock().listeners = Some(listeners);
    }

    /// Notes that the process has begun to drain.
    pub fn set_draining(&self) {
        self.lock().is_draining = true;
    }

    pub fn stage(&self) -> Stage {
        let state = self.lock();
        match (state.is_draining, &state.listeners) {
            (true, _) => Stage::Draining,
            (false, Some(_)) => Stage::Serving,
            (false, None) => Stage::Starting,
        }
    }

    pub fn listeners(&self) -> Vec<OpenListener> {
        self.lock().listeners.clone().unwrap_or_default()
    }

    /// When the process started, since 1970.
    pub fn started_at(&self) -> Duration {
        self.started_at
    }

    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

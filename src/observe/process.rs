//! What the process is doing: starting, serving or stopping, and where it listens.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock::WallClock;

#[derive(Debug)]
pub struct Process {
    begun: Instant,
    since: Duration,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    listeners: Option<Vec<Listening>>,
    draining: bool,
}

/// A listener that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    pub address: Box<str>,
    /// Whether it is the one that tells of the others.
    pub admin: bool,
    /// The one registry it serves.
    pub registry: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its listeners are not open yet.
    Starting,
    Serving,
    /// No new connections; open requests may finish.
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
        Self { begun: Instant::now(), since: clock.unix_time(), now: Mutex::default() }
    }

    /// These listeners are open, and no others.
    pub fn listening(&self, listeners: Vec<Listening>) {
        self.lock().listeners = Some(listeners);
    }

    /// The process is about to end.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    pub fn stage(&self) -> Stage {
        let now = self.lock();
        match (now.draining, &now.listeners) {
            (true, _) => Stage::Draining,
            (false, Some(_)) => Stage::Serving,
            (false, None) => Stage::Starting,
        }
    }

    pub fn listeners(&self) -> Vec<Listening> {
        self.lock().listeners.clone().unwrap_or_default()
    }

    /// When it began, since 1970.
    pub fn since(&self) -> Duration {
        self.since
    }

    pub fn uptime(&self) -> Duration {
        self.begun.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! How the configuration in force came to be so, and what is wrong with the one that should be.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::metrics::Metrics;
use crate::base::clock::WallClock;

/// What the process knows of its configuration's life. Everything that tells of it reads it here.
#[derive(Debug)]
pub struct Reloads {
    metrics: Arc<Metrics>,
    clock: WallClock,
    now: Mutex<Standing>,
}

/// The configuration at one moment. Times are since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When the configuration in force came into force.
    pub since: Duration,
    /// How many times it was replaced since the process began.
    pub replaced: u64,
    /// Why a newer one is not in force.
    pub refused: Option<Refused>,
}

/// A configuration that could not be put in force; the one before it still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it was refused first.
    pub since: Duration,
    /// Everything that is wrong with it, as `check` tells it. Holds no secrets.
    pub problems: Box<str>,
}

impl Reloads {
    pub fn new(metrics: Arc<Metrics>, clock: WallClock) -> Self {
        metrics.configuration_good(true);
        let now = Standing { since: clock.unix_time(), replaced: 0, refused: None };
        Self { metrics, clock, now: Mutex::new(now) }
    }

    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// A new configuration is in force.
    pub fn replaced(&self) {
        let mut now = self.lock();
        now.since = self.clock.unix_time();
        now.replaced += 1;
        now.refused = None;
        self.metrics.reload("replaced");
        self.metrics.configuration_good(true);
    }

    /// A new configuration is not in force, for these reasons.
    pub fn refused(&self, problems: impl Into<Box<str>>) {
        let mut now = self.lock();
        let since = now.refused.as_ref().map_or_else(|| self.clock.unix_time(), |refused| refused.since);
        now.refused = Some(Refused { since, problems: problems.into() });
        self.metrics.reload("refused");
        self.metrics.configuration_good(false);
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

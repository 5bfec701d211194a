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
    /// What is wrong with the files that are followed while it is.
    pub troubles: Vec<Trouble>,
}

/// A configuration that could not be put in force; the one before it still is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it was refused first.
    pub since: Duration,
    /// Everything that is wrong with it, as `check` tells it. Holds no secrets.
    pub problems: Box<str>,
}

/// A file that the configuration in force names, and that cannot be used as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When it was found first.
    pub since: Duration,
    pub file: Unusable,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The key that names it.
    pub key: Box<str>,
    /// What is wrong, and what to do. Holds no secrets.
    pub what: Box<str>,
    /// Whether what was last read from it stays in force; nothing may ever have been.
    pub kept: bool,
}

impl Reloads {
    pub fn new(metrics: Arc<Metrics>, clock: WallClock) -> Self {
        metrics.configuration_good(true);
        let now = Standing { since: clock.unix_time(), replaced: 0, refused: None, troubles: Vec::new() };
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
        self.tell(&now);
    }

    /// A new configuration is not in force, for these reasons.
    pub fn refused(&self, problems: impl Into<Box<str>>) {
        let problems = problems.into();
        let mut now = self.lock();
        let since = now.refused.as_ref().map_or_else(|| self.clock.unix_time(), |refused| refused.since);
        now.refused = Some(Refused { since, problems });
        self.metrics.reload("refused");
        self.tell(&now);
    }

    /// These of the files that are followed cannot be used now, and no others. Returns those that are news.
    pub fn unusable(&self, files: Vec<Unusable>) -> Vec<Unusable> {
        let mut now = self.lock();
        let before = std::mem::take(&mut now.troubles);
        let known = |file: &Unusable| before.iter().find(|trouble| trouble.file == *file).map(|trouble| trouble.since);
        let news = files.iter().filter(|file| known(file).is_none()).cloned().collect();
        let trouble = |file| Trouble { since: known(&file).unwrap_or_else(|| self.clock.unix_time()), file };
        now.troubles = files.into_iter().map(trouble).collect();
        self.tell(&now);
        news
    }

    fn tell(&self, now: &Standing) {
        self.metrics.configuration_good(now.refused.is_none() && now.troubles.is_empty());
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

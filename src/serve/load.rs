//! Reading a configuration with everything it names, the first time and every time after.

use super::build::{TlsByRegistry, read_tls};
use super::doors::{self, ListenerTls, read_listeners};
use super::files::Files;
use crate::config::Environment;
use crate::config::load::{load_and, places};
use crate::config::model::Config;
use crate::config::overrides::Overrides;
use crate::config::problem::{Problem, Problems};

/// A configuration that can be put in force.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// The TLS files that its registries name.
    pub tls: TlsByRegistry,
    /// Those that its listeners name.
    pub listener_tls: ListenerTls,
}

impl Loaded {
    /// What works and yet is hardly meant.
    pub fn remarks(&self) -> Vec<Problem> {
        doors::remarks(&self.config, &self.listener_tls)
    }
}

/// One reading, and what was read.
#[derive(Debug)]
pub struct Reading {
    pub outcome: Result<Loaded, Problems>,
    pub files: Files,
}

/// Reads what flags, variables and files say now; blocking.
///
/// What was read is noted before it is judged: a file that changes meanwhile is seen to have changed.
pub fn read(overrides: &Overrides, environment: Environment<'_>) -> Reading {
    let places = Files::read(places(overrides, environment));
    let mut named = Files::default();
    let outcome = load_and(overrides, environment, |config| {
        named = Files::read(config.files());
        both(read_tls(config), read_listeners(config))
    });
    let loaded = outcome.map(|(config, (tls, listener_tls))| Loaded { config, tls, listener_tls });
    Reading { outcome: loaded, files: places.and(named) }
}

/// What is wrong with either is told.
fn both<A, B>(one: Result<A, Problems>, other: Result<B, Problems>) -> Result<(A, B), Problems> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => {
            let problems = [one.err(), other.err()].into_iter().flatten();
            Err(Problems(problems.flat_map(|problems| problems.0).collect()))
        }
    }
}

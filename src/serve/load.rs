//! Reading a configuration with everything it names, the first time and every time after.

use super::build::{TlsByRegistry, read_tls};
use super::files::Files;
use crate::config::Environment;
use crate::config::load::{load_and, places};
use crate::config::model::Config;
use crate::config::overrides::Overrides;
use crate::config::problem::Problems;

/// A configuration that can be put in force.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// The TLS files it names.
    pub tls: TlsByRegistry,
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
        read_tls(config)
    });
    Reading { outcome: outcome.map(|(config, tls)| Loaded { config, tls }), files: places.and(named) }
}

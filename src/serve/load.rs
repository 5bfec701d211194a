//! Reading a configuration with everything it names, the first time and every time after.

use std::fs::metadata;
use std::path::PathBuf;

use super::build::{TlsByRegistry, read_tls};
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
    /// The TLS files it names.
    pub tls: TlsByRegistry,
}

/// One reading, and what was read.
#[derive(Debug)]
pub struct Reading {
    pub outcome: Result<Loaded, Problems>,
    pub files: Files,
}

/// As [`read`], after the first time: what can be read only once is not taken for empty.
pub(super) fn read_again(overrides: &Overrides, environment: Environment<'_>) -> Reading {
    let is_spent = |path: &PathBuf| metadata(path).is_ok_and(|metadata| !metadata.is_file());
    match places(overrides, environment).into_iter().find(is_spent) {
        Some(file) => {
            let what = "it is no regular file and cannot be read again".to_owned();
            let hint = "start regpass anew, or with a file that stays".to_owned();
            let problem = Problem { file: Some(file), what, hint, ..Problem::default() };
            Reading { outcome: Err(Problems(vec![problem])), files: Files::read(places(overrides, environment)) }
        }
        None => read(overrides, environment),
    }
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

//! Reading a configuration with everything it names, the first time and every time after.

use std::fs::metadata;
use std::path::Path;
use std::sync::Arc;

use super::build::{TlsByRegistry, read_tls};
use super::doors::{self, ListenerTls, read_listeners};
use super::files::Files;
use crate::config::Variables;
use crate::config::load::{load_and, places};
use crate::config::model::Config;
use crate::config::overrides::Overrides;
use crate::config::problem::{Problem, Problems};
use crate::net::dial::Network;
use crate::net::proxies::{BadProxy, Proxies};

/// A configuration that can be put in force.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// The TLS files that its registries name.
    pub tls: TlsByRegistry,
    /// Those that its listeners name.
    pub listener_tls: ListenerTls,
    /// How the world is reached.
    pub network: Network,
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

/// As [`read`], after the first time: what can be read only once is not taken for empty.
pub(super) fn read_again(overrides: &Overrides, variables: Variables<'_>) -> Reading {
    let is_spent = |path: &Path| metadata(path).is_ok_and(|metadata| !metadata.is_file());
    let places = places(overrides, variables);
    match places.iter().find(|path| is_spent(path)) {
        Some(file) => {
            let file = file.clone();
            let what = "it is no regular file and cannot be read again".to_owned();
            let hint = "start regpass anew, or with a file that stays".to_owned();
            let problem = Problem { file: Some(file), what, hint, ..Problem::default() };
            Reading { outcome: Err(Problems(vec![problem])), files: Files::read(places) }
        }
        None => read(overrides, variables),
    }
}

/// Reads what flags, variables and files say now; blocking.
///
/// What was read is noted before it is judged: a file that changes meanwhile is seen to have changed.
pub fn read(overrides: &Overrides, variables: Variables<'_>) -> Reading {
    let places = Files::read(places(overrides, variables));
    let mut named = Files::default();
    let outcome = load_and(overrides, variables, |config| {
        named = Files::read(config.files());
        both(both(read_tls(config), read_listeners(config)), network(variables))
    });
    let loaded = outcome.map(|(config, ((tls, listener_tls), network))| Loaded { config, tls, listener_tls, network });
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

fn network(variables: Variables<'_>) -> Result<Network, Problems> {
    // What is no text names no proxy: to go without one would be to go past it.
    let proxies = Proxies::read(|name| variables.path(name).map(|value| value.to_string_lossy().into_owned()));
    let proxies = proxies.map_err(|BadProxy { variable, why }| {
        let hint =
            "write it like http://proxy.example:3128, with user:password@ in front of the host if it wants a login";
        Problems(vec![Problem { key: variable, what: why.to_owned(), hint: hint.to_owned(), ..Problem::default() }])
    })?;
    Ok(proxies.map_or(Network::Tcp, |proxies| Network::Proxied(Arc::new(proxies))))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_proxy_that_is_no_text_is_not_taken_for_none() {
        let variable =
            |name: &str| (name == "HTTPS_PROXY").then(|| OsString::from_vec(b"http://me:p\xff@proxy.example".to_vec()));
        let problems = read(&Overrides::default(), Variables::new(&variable)).outcome.unwrap_err().to_string();
        assert!(problems.contains("HTTPS_PROXY") && !problems.contains("me:"), "{problems}");
    }
}

//! Reads a configuration with all files it names, at start and at every reload.

use std::fs::metadata;
use std::path::Path;
use std::sync::Arc;

use super::build::{TlsByRegistry, read_tls};
use super::file_digests::FileDigests;
use super::listener_files::{self, ListenerTls, read_listeners};
use crate::config::Variables;
use crate::config::load::{load_and_build, search_paths};
use crate::config::model::Config;
use crate::config::overrides::Overrides;
use crate::config::problem::{Problem, Problems};
use crate::net::dial::Network;
use crate::net::proxies::{BadProxy, Proxies};

/// A valid configuration with the contents of the files it names.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// The TLS files of its registries.
    pub tls: TlsByRegistry,
    /// The TLS files of its listeners.
    pub listener_tls: ListenerTls,
    /// How registries are connected to: directly or through proxies.
    pub network: Network,
}

impl Loaded {
    /// Warnings about settings that work but are probably not intended.
    pub fn warnings(&self) -> Vec<Problem> {
        listener_files::warnings(&self.config, &self.listener_tls)
    }
}

/// The outcome of reading a configuration, and the files it was read from.
#[derive(Debug)]
pub struct Reading {
    pub outcome: Result<Loaded, Problems>,
    pub files: FileDigests,
}

/// Reads the configuration again, as [`read`] does, but rejects a configuration file that can be read only once, such
/// as a pipe: its content is gone after the first time.
pub(super) fn read_again(overrides: &Overrides, variables: Variables<'_>) -> Reading {
    let is_not_regular = |path: &Path| metadata(path).is_ok_and(|metadata| !metadata.is_file());
    let places = search_paths(overrides, variables);
    match places.iter().find(|path| is_not_regular(path)) {
        Some(file) => {
            let file = file.clone();
            let what = "the configuration file is not a regular file, so it cannot be read a second time".to_owned();
            let hint = "restart regpass, or use a regular file".to_owned();
            let problem = Problem { file: Some(file), what, hint, ..Problem::default() };
            Reading { outcome: Err(Problems(vec![problem])), files: FileDigests::read(places) }
        }
        None => read(overrides, variables),
    }
}

/// Reads the configuration from flags, variables and files; blocking.
///
/// The digests are taken first, so that a file that changes while it is read is noticed afterwards.
pub fn read(overrides: &Overrides, variables: Variables<'_>) -> Reading {
    let places = FileDigests::read(search_paths(overrides, variables));
    let mut named = FileDigests::default();
    let outcome = load_and_build(overrides, variables, |config| {
        named = FileDigests::read(config.files());
        both(both(read_tls(config), read_listeners(config)), network(variables))
    });
    let loaded = outcome.map(|(config, ((tls, listener_tls), network))| Loaded { config, tls, listener_tls, network });
    Reading { outcome: loaded, files: places.and(named) }
}

/// Both values, or the problems of both.
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
    // A value that is not UTF-8 is a problem, like any invalid proxy. Ignoring it would bypass the proxy.
    let proxies =
        Proxies::from_environment(|name| variables.path(name).map(|value| value.to_string_lossy().into_owned()));
    let proxies = proxies.map_err(|BadProxy { variable, why }| {
        let hint =
            "write it like http://proxy.example:3128, with user:password@ before the host if it requires authentication";
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
    fn proxy_variable_that_is_not_utf8_is_a_problem() {
        let variable =
            |name: &str| (name == "HTTPS_PROXY").then(|| OsString::from_vec(b"http://me:p\xff@proxy.example".to_vec()));
        let problems = read(&Overrides::default(), Variables::new(&variable)).outcome.unwrap_err().to_string();
        assert!(problems.contains("HTTPS_PROXY") && !problems.contains("me:"), "{problems}");
    }
}

//! What the surroundings say about where credentials are: read once, so that a running process has one opinion.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::cloud;
use crate::base::secret::Secret;

/// The environment variables that docker, podman, their helpers and clouds go by. Empty ones count as unset.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    home: Option<PathBuf>,
    docker_config: Option<PathBuf>,
    registry_auth_file: Option<PathBuf>,
    runtime_dir: Option<PathBuf>,
    config_home: Option<PathBuf>,
    path: Option<OsString>,
    /// Whose process this is: podman's folder where there is no `XDG_RUNTIME_DIR` is named after it.
    user: Option<u32>,
    /// What clouds and their tools go by. Some of it is secret.
    clouds: BTreeMap<&'static str, Secret>,
}

impl Environment {
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| variable(name).filter(|value| !value.is_empty());
        let path = |name| text(name).map(PathBuf::from);
        Self {
            home: path("HOME"),
            docker_config: path("DOCKER_CONFIG"),
            registry_auth_file: path("REGISTRY_AUTH_FILE"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            config_home: path("XDG_CONFIG_HOME"),
            path: text("PATH"),
            user: None,
            clouds: cloud::VARIABLES
                .iter()
                .flat_map(|names| names.iter())
                .filter_map(|name| Some((*name, Secret::new(text(name)?.into_string().ok()?))))
                .collect(),
        }
    }

    /// The process's own.
    pub fn process() -> Self {
        let user = std::fs::metadata("/proc/self").ok().map(|process| process.uid());
        Self { user, ..Self::read(|name| env::var_os(name)) }
    }

    /// Where docker and podman keep logins, in the order of precedence.
    ///
    /// A variable that names a place stands for all the usual ones: who points docker elsewhere does not want the
    /// logins at home.
    pub fn docker_files(&self) -> Vec<PathBuf> {
        let docker = self.docker_config.as_ref().map(|folder| folder.join("config.json"));
        let named: Vec<PathBuf> = self.registry_auth_file.clone().into_iter().chain(docker).collect();
        if !named.is_empty() {
            return named;
        }
        let under = |folder: Option<PathBuf>, file: &str| folder.map(|folder| folder.join(file));
        let without_runtime_dir = || self.user.map(|user| format!("/run/containers/{user}/auth.json").into());
        let config_home = self.config_home.clone().or_else(|| under(self.home.clone(), ".config"));
        [
            under(self.home.clone(), ".docker/config.json"),
            under(self.runtime_dir.clone(), "containers/auth.json").or_else(without_runtime_dir),
            under(config_home, "containers/auth.json"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A variable that a cloud goes by: one of [`cloud::VARIABLES`].
    pub fn variable(&self, name: &str) -> Option<&Secret> {
        self.clouds.get(name)
    }

    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The folders of `PATH`, without those that depend on the working directory.
    pub fn program_folders(&self) -> Vec<PathBuf> {
        let path = self.path.clone().unwrap_or_else(|| USUAL_PATH.into());
        env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
    }
}

const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::read(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn logins_are_looked_for_where_docker_and_podman_put_them() {
        for (variables, files) in [
            (vec![], vec![]),
            (vec![("HOME", "")], vec![]),
            (vec![("HOME", "/h")], vec!["/h/.docker/config.json", "/h/.config/containers/auth.json"]),
            (
                vec![("HOME", "/h"), ("XDG_RUNTIME_DIR", "/r"), ("XDG_CONFIG_HOME", "/c")],
                vec!["/h/.docker/config.json", "/r/containers/auth.json", "/c/containers/auth.json"],
            ),
            (vec![("HOME", "/h"), ("DOCKER_CONFIG", "/d")], vec!["/d/config.json"]),
            (
                vec![("HOME", "/h"), ("DOCKER_CONFIG", "/d"), ("REGISTRY_AUTH_FILE", "/a.json")],
                vec!["/a.json", "/d/config.json"],
            ),
        ] {
            let files: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
            assert_eq!(environment(&variables).docker_files(), files, "{variables:?}");
        }
    }

    #[test]
    fn podman_without_a_runtime_folder_goes_by_the_user() {
        let root = |variables| Environment { user: Some(0), ..environment(variables) };
        assert_eq!(root(&[]).docker_files(), [PathBuf::from("/run/containers/0/auth.json")]);
        assert_eq!(root(&[("XDG_RUNTIME_DIR", "/r")]).docker_files(), [PathBuf::from("/r/containers/auth.json")]);
        assert!(root(&[("DOCKER_CONFIG", "/d")]).docker_files().iter().all(|file| !file.starts_with("/run")));
    }

    #[test]
    fn programs_are_never_looked_for_in_the_working_directory() {
        let folders = environment(&[("PATH", "/a::bin:.:/b")]).program_folders();
        assert_eq!(folders, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert!(!environment(&[]).program_folders().is_empty());
    }
}

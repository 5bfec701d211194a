//! The process's environment variables and user, read once at start.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::base::secret::Secret;

/// A snapshot of the environment variables, so that the whole process works with the same values. Empty variables count
/// as unset.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    home: Option<PathBuf>,
    docker_config: Option<PathBuf>,
    registry_auth_file: Option<PathBuf>,
    runtime_dir: Option<PathBuf>,
    config_home: Option<PathBuf>,
    path: Option<OsString>,
    /// The uid of this process. Without `XDG_RUNTIME_DIR`, podman's folder is named after it.
    uid: Option<u32>,
    /// All variables that are UTF-8. Some of them are secrets.
    variables: BTreeMap<String, Secret>,
}

impl Environment {
    /// Takes the variables as pairs of name and value. If a name occurs twice, the first pair counts.
    pub fn new<N: Into<String>, V: Into<OsString>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut all: BTreeMap<String, OsString> = BTreeMap::new();
        for (name, value) in variables {
            all.entry(name.into()).or_insert_with(|| value.into());
        }
        all.retain(|_, value| !value.is_empty());
        let path = |name| all.get(name).map(PathBuf::from);
        Self {
            home: path("HOME"),
            docker_config: path("DOCKER_CONFIG"),
            registry_auth_file: path("REGISTRY_AUTH_FILE"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            config_home: path("XDG_CONFIG_HOME"),
            path: all.get("PATH").cloned(),
            uid: None,
            variables: all
                .into_iter()
                .filter_map(|(name, value)| Some((name, Secret::new(value.into_string().ok()?))))
                .collect(),
        }
    }

    /// The environment and the user of this process.
    pub fn process() -> Self {
        let uid = std::fs::metadata("/proc/self").ok().map(|process| process.uid());
        let variables = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { uid, ..Self::new(variables) }
    }

    /// The files in which docker and podman keep credentials, in order of precedence. The last one is the file of docker
    /// before version 1.7, which podman still reads (containers/image, `pkg/docker/config`, August 2025).
    ///
    /// If `REGISTRY_AUTH_FILE` or `DOCKER_CONFIG` is set, only the files it names are used: a user who points docker to
    /// another file does not want the credentials in the home folder.
    pub fn docker_files(&self) -> Vec<PathBuf> {
        let docker = self.docker_config.as_ref().map(|folder| folder.join("config.json"));
        let named: Vec<PathBuf> = self.registry_auth_file.clone().into_iter().chain(docker).collect();
        if !named.is_empty() {
            return named;
        }
        let under = |folder: Option<PathBuf>, file: &str| folder.map(|folder| folder.join(file));
        let without_runtime_dir = || self.uid.map(|uid| format!("/run/containers/{uid}/auth.json").into());
        let config_home = self.config_home.clone().or_else(|| under(self.home.clone(), ".config"));
        [
            under(self.home.clone(), ".docker/config.json"),
            under(self.runtime_dir.clone(), "containers/auth.json").or_else(without_runtime_dir),
            under(config_home, "containers/auth.json"),
            under(self.home.clone(), ".dockercfg"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The value of a variable, if it is UTF-8. It may be a secret.
    pub fn variable(&self, name: &str) -> Option<&Secret> {
        self.variables.get(name)
    }

    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The absolute folders of `PATH`, so that a program in the working directory is never run by accident.
    pub fn program_folders(&self) -> Vec<PathBuf> {
        let path = self.path.clone().unwrap_or_else(|| DEFAULT_PATH.into());
        env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
    }
}

/// The variable that contains the JSON of a docker file itself: docker (since version 28) and GitLab's runner read it
/// before their files.
pub const AUTH_VARIABLE: &str = "DOCKER_AUTH_CONFIG";

/// Used without `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().copied())
    }

    #[test]
    fn docker_files_are_those_of_docker_and_podman() {
        for (variables, files) in [
            (vec![], vec![]),
            (vec![("HOME", "")], vec![]),
            (vec![("HOME", "/h")], vec!["/h/.docker/config.json", "/h/.config/containers/auth.json", "/h/.dockercfg"]),
            (
                vec![("HOME", "/h"), ("XDG_RUNTIME_DIR", "/r"), ("XDG_CONFIG_HOME", "/c")],
                vec!["/h/.docker/config.json", "/r/containers/auth.json", "/c/containers/auth.json", "/h/.dockercfg"],
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
    fn without_a_runtime_folder_podmans_file_is_named_after_the_uid() {
        let root = |variables| Environment { uid: Some(0), ..environment(variables) };
        assert_eq!(root(&[]).docker_files(), [PathBuf::from("/run/containers/0/auth.json")]);
        assert_eq!(root(&[("XDG_RUNTIME_DIR", "/r")]).docker_files(), [PathBuf::from("/r/containers/auth.json")]);
        assert!(root(&[("DOCKER_CONFIG", "/d")]).docker_files().iter().all(|file| !file.starts_with("/run")));
    }

    #[test]
    fn relative_folders_of_path_are_left_out() {
        let folders = environment(&[("PATH", "/a::bin:.:/b")]).program_folders();
        assert_eq!(folders, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert!(!environment(&[]).program_folders().is_empty());
    }
}

//! The credentials that docker and podman store: in their configuration files, in the variable `DOCKER_AUTH_CONFIG`, or
//! in a credential helper named there.

mod document;
pub mod file;
mod host_pattern;
mod key;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tracing::warn;

use self::file::{DockerFile, HelperEntry, Lookup, Oddity};
use super::absence::Absences;
use super::environment::{AUTH_VARIABLE, Environment};
use super::helper::{HelperQuery, Helpers};
use super::{
    CredentialError, CredentialFuture, CredentialId, CredentialProvider, CredentialRequest, FileOddities, FileOddity,
    FileProblems, ResolvedCredential,
};
use crate::base::host::RegistryHost;
use crate::base::watched_file::{FileError, FileProblem, WatchedFile};

/// The provider for docker's and podman's configuration files. The first file with a credential for the registry is
/// used.
#[derive(Debug)]
pub struct DockerProvider {
    /// The content of the variable `DOCKER_AUTH_CONFIG`, which precedes the files, as in docker 28.
    variable: Option<Result<DockerFile, FileError>>,
    files: Vec<ConfigFile>,
    /// Whether the file has to exist, because the operator named it.
    is_required: bool,
    helpers: Arc<Helpers>,
    absences: Absences,
    /// The last logged error of the credential store, for each registry.
    logged_errors: Mutex<HashMap<RegistryHost, String>>,
}

#[derive(Debug)]
struct ConfigFile {
    path: PathBuf,
    file: WatchedFile<DockerFile>,
    /// The content at the latest use.
    used: Mutex<Weak<DockerFile>>,
}

/// Why a file or variable has no credential for a request.
enum Absence {
    /// It has none, and the helper that may have it was asked.
    Reported(String),
    /// The error of the helper, which is logged already.
    Logged(String),
}

impl ConfigFile {
    fn new(path: PathBuf) -> Self {
        Self { file: WatchedFile::new(path.clone(), DockerFile::parse), path, used: Mutex::default() }
    }

    /// Whether the file was written since the latest use; false at the first use. Notes this use.
    fn has_changed(&self, file: &Arc<DockerFile>) -> bool {
        let (unused, now) = (Weak::new(), Arc::downgrade(file));
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = !used.ptr_eq(&now) && !used.ptr_eq(&unused);
        *used = now;
        has_changed
    }
}

impl DockerProvider {
    /// Uses the file at `path` only.
    pub fn file(path: PathBuf, helpers: Arc<Helpers>) -> Self {
        Self::new(None, vec![path], true, helpers)
    }

    /// Uses `DOCKER_AUTH_CONFIG`, then the files of [`Environment::docker_files`] that exist.
    pub fn default_files(environment: &Environment, helpers: Arc<Helpers>) -> Self {
        let variable = environment.variable(AUTH_VARIABLE).map(|text| {
            let hint = "correct the variable: it contains the JSON itself, not the path of a file";
            DockerFile::parse_named(AUTH_VARIABLE, text.expose().trim_start_matches('\u{feff}').trim(), hint)
        });
        Self::new(variable, environment.docker_files(), false, helpers)
    }

    fn new(
        variable: Option<Result<DockerFile, FileError>>,
        paths: Vec<PathBuf>,
        is_required: bool,
        helpers: Arc<Helpers>,
    ) -> Self {
        let files = paths.into_iter().map(ConfigFile::new).collect();
        Self { variable, files, is_required, helpers, absences: Absences::default(), logged_errors: Mutex::default() }
    }

    async fn resolve(&self, request: &CredentialRequest<'_>) -> Result<ResolvedCredential, CredentialError> {
        let mut absences = Vec::new();
        if let Some(variable) = &self.variable {
            let variable = variable.as_ref().map_err(|error| CredentialError::from(error.clone()))?;
            match self.look_up(variable, &format!("the variable {AUTH_VARIABLE}"), request).await? {
                Ok(credential) => return Ok(credential),
                Err(absence) => absences.push(absence),
            }
        }
        for config_file in &self.files {
            let file = match config_file.file.current().await {
                Ok(file) => file,
                Err(FileError::Missing(_)) if !self.is_required => continue,
                Err(error) => return Err(error.into()),
            };
            // `docker login` writes the file even if it stores the credential in a helper, whose cached answer is now
            // outdated.
            if config_file.has_changed(&file) {
                file.helpers().for_each(|helper| self.helpers.forget(helper));
                self.absences.forget_all();
            }
            let name = format!("the docker file {}", config_file.path.display());
            match self.look_up(&file, &name, request).await? {
                Ok(credential) => return Ok(credential),
                Err(absence) => absences.push(absence),
            }
        }
        Ok(self.absent(request.registry, absences))
    }

    /// The credential that a file has for a request, or why it has none.
    async fn look_up(
        &self,
        file: &DockerFile,
        name: &str,
        request: &CredentialRequest<'_>,
    ) -> Result<Result<ResolvedCredential, Absence>, CredentialError> {
        let registry = request.registry;
        let why = match file.lookup(request) {
            Lookup::Credential(credential) => return Ok(Ok(credential.clone())),
            Lookup::Invalid(error) => return Err(error.clone()),
            Lookup::Helper(entry) => return self.query_helper(&entry, name, request).await,
            Lookup::EmptyEntry(key) => format!(
                "the entry {key:?} of {name} is empty, and no credential helper is named there that may have the \
                 credential"
            ),
            Lookup::None => format!("{name} has no credential for {registry}"),
        };
        Ok(Err(Absence::Reported(why)))
    }

    /// Queries the helper of an entry. An error counts only if the file has an entry for the registry, as docker writes
    /// one with each login. Otherwise the registry probably needs no credential, and a broken store must not block it.
    async fn query_helper(
        &self,
        entry: &HelperEntry<'_>,
        file: &str,
        request: &CredentialRequest<'_>,
    ) -> Result<Result<ResolvedCredential, Absence>, CredentialError> {
        let HelperEntry { helper, key } = entry;
        let registry = request.registry;
        let query = HelperQuery { helper, key: *key, timeout: HELPER_TIMEOUT };
        let answer = match self.helpers.query(&query, request).await {
            Err(error) if key.is_some() => return Err(error),
            answer => answer,
        };
        let error = answer.as_ref().err().map_or("", |error| &error.message);
        if key.is_none() && self.is_new_error(registry, error) {
            warn!(
                upstream = %registry,
                blame = "credential",
                error,
                "the credential store failed; docker's file has no entry for this registry, so requests go on without a credential"
            );
        }
        let absence = match answer {
            Ok(credential) if !credential.is_anonymous() => return Ok(Ok(credential)),
            Ok(_) => Absence::Reported(format!(
                "docker-credential-{helper}, which {file} names, has no credential for {registry}"
            )),
            Err(error) => {
                Absence::Logged(format!("{file} has no entry for {registry}, and the credential store failed: {error}"))
            }
        };
        Ok(Err(absence))
    }

    /// The anonymous credential, with the reasons why no file has another one.
    fn absent(&self, registry: &RegistryHost, absences: Vec<Absence>) -> ResolvedCredential {
        let is_logged = absences.iter().any(|absence| matches!(absence, Absence::Logged(_)));
        let whys: Vec<String> =
            absences.into_iter().map(|(Absence::Reported(why) | Absence::Logged(why))| why).collect();
        let why = match whys.as_slice() {
            [] => {
                let paths = self.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>();
                let places = if paths.is_empty() { "HOME is not set".to_owned() } else { paths.join(", ") };
                format!("there is no docker file ({places})")
            }
            whys => whys.join("; "),
        };
        if is_logged { ResolvedCredential::absent(&why) } else { self.absences.report(registry, &why) }
    }

    /// Whether the store's error for a registry differs from the last one. An empty `error` means success, and makes
    /// the next error a new one.
    fn is_new_error(&self, registry: &RegistryHost, error: &str) -> bool {
        let mut logged = self.logged_errors.lock().unwrap_or_else(PoisonError::into_inner);
        if error.is_empty() {
            logged.remove(registry);
            return false;
        }
        if logged.len() >= MAX_LOGGED_ERRORS {
            logged.clear();
        }
        logged.insert(registry.clone(), error.to_owned()).is_none_or(|before| before != error)
    }
}

impl CredentialProvider for DockerProvider {
    fn fetch<'a>(&'a self, request: &'a CredentialRequest<'a>) -> CredentialFuture<'a> {
        Box::pin(self.resolve(request))
    }

    fn note_rejected(&self, id: CredentialId) {
        self.helpers.note_rejected(id);
    }

    fn file_problems(&self) -> FileProblems<'_> {
        let checks = self.files.iter().map(|config_file| config_file.file.problem(self.is_required));
        let of_variable = self.variable.as_ref().and_then(|variable| variable.as_ref().err());
        let of_variable = of_variable.map(|error| FileProblem { message: error.to_string(), has_last_good: false });
        Box::pin(async { of_variable.into_iter().chain(join_all(checks).await.into_iter().flatten()).collect() })
    }

    fn file_oddities(&self) -> FileOddities<'_> {
        let of_file = |path: PathBuf, file: &DockerFile| {
            let oddity = move |Oddity { key, what, hint }| FileOddity {
                file: path.clone(),
                key,
                what: what.to_owned(),
                hint: hint.to_owned(),
            };
            file.oddities().into_iter().map(oddity).collect::<Vec<_>>()
        };
        Box::pin(async move {
            let variable = self.variable.as_ref().and_then(|variable| variable.as_ref().ok());
            let mut oddities = variable.map(|file| of_file(AUTH_VARIABLE.into(), file)).unwrap_or_default();
            for config_file in &self.files {
                if let Ok(file) = config_file.file.current().await {
                    oddities.extend(of_file(config_file.path.clone(), &file));
                    if self.is_required && file.has_nothing() {
                        oddities.push(FileOddity {
                            file: config_file.path.clone(),
                            key: "auths".to_owned(),
                            what: "the file has no credential and names no credential helper".to_owned(),
                            hint: "log in with docker or podman, or name the file that has the credential".to_owned(),
                        });
                    }
                }
            }
            oddities
        })
    }
}

/// Limit for one call of a helper named in docker's file.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_LOGGED_ERRORS: usize = 256;

#[cfg(test)]
mod tests;

//! The credentials that docker and podman store: in their configuration files, or in a credential helper named there.

pub mod file;
mod key;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tracing::warn;

use self::file::{DockerFile, HelperEntry, Lookup};
use super::environment::Environment;
use super::helper::{HelperQuery, Helpers};
use super::{
    CredentialError, CredentialFuture, CredentialId, CredentialProvider, CredentialRequest, FileProblems,
    ResolvedCredential,
};
use crate::base::host::RegistryHost;
use crate::base::watched_file::{FileError, WatchedFile};

/// The provider for docker's and podman's configuration files. The first file with a credential for the registry is
/// used.
#[derive(Debug)]
pub struct DockerProvider {
    files: Vec<ConfigFile>,
    /// Whether the file has to exist, because the operator named it.
    is_required: bool,
    helpers: Arc<Helpers>,
    /// The last logged error of the credential store, for each registry.
    logged_errors: Mutex<HashMap<RegistryHost, String>>,
}

#[derive(Debug)]
struct ConfigFile {
    file: WatchedFile<DockerFile>,
    /// The content at the latest use.
    used: Mutex<Weak<DockerFile>>,
}

impl ConfigFile {
    fn new(path: PathBuf) -> Self {
        Self { file: WatchedFile::new(path, DockerFile::parse), used: Mutex::default() }
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
        Self { files: vec![ConfigFile::new(path)], is_required: true, helpers, logged_errors: Mutex::default() }
    }

    /// Uses the files of [`Environment::docker_files`] that exist.
    pub fn default_files(environment: &Environment, helpers: Arc<Helpers>) -> Self {
        let files = environment.docker_files().into_iter().map(ConfigFile::new).collect();
        Self { files, is_required: false, helpers, logged_errors: Mutex::default() }
    }

    async fn resolve(&self, request: &CredentialRequest<'_>) -> Result<ResolvedCredential, CredentialError> {
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
            }
            match file.lookup(request) {
                Lookup::Credential(credential) => return Ok(credential.clone()),
                Lookup::Invalid(error) => return Err(error.clone()),
                Lookup::Helper(entry) => {
                    let answer = self.query_helper(&entry, request).await?;
                    if !answer.is_anonymous() {
                        return Ok(answer);
                    }
                }
                Lookup::None => {}
            }
        }
        Ok(ResolvedCredential::anonymous())
    }

    /// Queries the helper of an entry. An error counts only if the file has an entry for the registry, as docker writes
    /// one with each login. Otherwise the registry probably needs no credential, and a broken store must not block it.
    async fn query_helper(
        &self,
        entry: &HelperEntry<'_>,
        request: &CredentialRequest<'_>,
    ) -> Result<ResolvedCredential, CredentialError> {
        let query = HelperQuery { helper: entry.helper, key: entry.key, timeout: HELPER_TIMEOUT };
        let answer = self.helpers.query(&query, request).await;
        if entry.key.is_some() {
            return answer;
        }
        let error = answer.as_ref().err().map_or("", |error| &error.message);
        if self.is_new_error(request.registry, error) {
            warn!(
                upstream = %request.registry,
                blame = "credential",
                error,
                "the credential store failed; docker's file has no entry for this registry, so requests go on without a credential"
            );
        }
        Ok(answer.unwrap_or_else(|_| ResolvedCredential::anonymous()))
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
        Box::pin(async { join_all(checks).await.into_iter().flatten().collect() })
    }
}

/// Limit for one call of a helper named in docker's file.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_LOGGED_ERRORS: usize = 256;

#[cfg(test)]
mod tests;

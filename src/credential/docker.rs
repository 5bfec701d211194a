//! The logins that docker and podman keep: in their files, or with a helper that the file names.

pub mod file;
mod key;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tracing::warn;

use self::file::{Ask, DockerFile, Lookup};
use super::environment::Environment;
use super::helper::{Helpers, Question};
use super::watched::{Lacking, Watched};
use super::{CredentialError, CredentialId, CredentialProvider, Fetch, Found, Troubles, Wanted};
use crate::base::host::RegistryHost;

/// docker's or podman's configuration.
///
/// The first file that has a login for the registry is the one that counts.
#[derive(Debug)]
pub struct Docker {
    files: Vec<Place>,
    /// Whether the operator named the file: then it has to be there.
    named: bool,
    helpers: Arc<Helpers>,
    /// What was last said about a store that fails, for each registry it failed for.
    complaints: Mutex<HashMap<RegistryHost, String>>,
}

#[derive(Debug)]
struct Place {
    file: Watched<DockerFile>,
    /// What was in the file when it was last used.
    used: Mutex<Weak<DockerFile>>,
}

impl Place {
    fn new(path: PathBuf) -> Self {
        Self { file: Watched::new(path, DockerFile::parse), used: Mutex::default() }
    }

    /// Whether the file was written since it was last used.
    fn is_new(&self, file: &Arc<DockerFile>) -> bool {
        let (unused, now) = (Weak::new(), Arc::downgrade(file));
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !used.ptr_eq(&now) && !used.ptr_eq(&unused);
        *used = now;
        is_new
    }
}

impl Docker {
    /// The file at `path`.
    pub fn file(path: PathBuf, helpers: Arc<Helpers>) -> Self {
        Self { files: vec![Place::new(path)], named: true, helpers, complaints: Mutex::default() }
    }

    /// The files at the usual places, as far as they are there.
    pub fn usual_places(environment: &Environment, helpers: Arc<Helpers>) -> Self {
        let files = environment.docker_files().into_iter().map(Place::new).collect();
        Self { files, named: false, helpers, complaints: Mutex::default() }
    }

    async fn find(&self, wanted: &Wanted<'_>) -> Result<Found, CredentialError> {
        for place in &self.files {
            let file = match place.file.current().await {
                Ok(file) => file,
                Err(Lacking::Missing) if !self.named => continue,
                Err(Lacking::Missing) => place.file.required().await?,
                Err(Lacking::Failed(error)) => return Err(error),
            };
            // A login writes the file, also when it goes into a store.
            if place.is_new(&file) {
                file.helpers().for_each(|helper| self.helpers.forget(helper));
            }
            match file.lookup(wanted) {
                Lookup::Login(found) => return Ok(found.clone()),
                Lookup::Broken(error) => return Err(error.clone()),
                Lookup::Ask(ask) => {
                    let found = self.ask(&ask, wanted).await?;
                    if !found.is_anonymous() {
                        return Ok(found);
                    }
                }
                Lookup::Nothing => {}
            }
        }
        Ok(Found::anonymous())
    }

    /// A store that is broken matters only where the file says that it has the login: docker leaves an empty entry
    /// there. Otherwise it would stand in the way of everything that needs no login.
    async fn ask(&self, ask: &Ask<'_>, wanted: &Wanted<'_>) -> Result<Found, CredentialError> {
        let question = Question { helper: ask.helper, key: ask.key, deadline: DEADLINE };
        let answer = self.helpers.ask(&question, wanted).await;
        if ask.key.is_some() {
            return answer;
        }
        let what = answer.as_ref().err().map_or("", |error| &error.what);
        if self.is_news(wanted.registry, what) {
            warn!(
                upstream = %wanted.registry,
                blame = "credential",
                error = what,
                "the credential store fails; the file names no login for this registry, so it goes on without"
            );
        }
        Ok(answer.unwrap_or_else(|_| Found::anonymous()))
    }

    fn is_news(&self, registry: &RegistryHost, complaint: &str) -> bool {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaint.is_empty() {
            complaints.remove(registry);
            return false;
        }
        if complaints.len() >= REMEMBERED {
            complaints.clear();
        }
        complaints.insert(registry.clone(), complaint.to_owned()).is_none_or(|before| before != complaint)
    }
}

impl CredentialProvider for Docker {
    fn fetch<'a>(&'a self, wanted: &'a Wanted<'a>) -> Fetch<'a> {
        Box::pin(self.find(wanted))
    }

    fn refused(&self, id: CredentialId) {
        self.helpers.refused(id);
    }

    fn troubles(&self) -> Troubles<'_> {
        let looks = self.files.iter().map(|place| place.file.trouble(self.named));
        Box::pin(async { join_all(looks).await.into_iter().flatten().collect() })
    }
}

const DEADLINE: Duration = Duration::from_secs(10);
const REMEMBERED: usize = 256;

#[cfg(test)]
mod tests;

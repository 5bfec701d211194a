//! Logins that a `docker-credential-*` program keeps (docker/docker-credential-helpers, README, "Development").

mod answers;
mod process;
pub mod protocol;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::answers::Answers;
use super::environment::Environment;
use super::{CredentialError, CredentialId, CredentialProvider, Fetch, Found, Wanted};

/// One helper that the configuration names.
#[derive(Debug)]
pub struct Helper {
    name: Box<str>,
    deadline: Duration,
    helpers: Arc<Helpers>,
}

impl Helper {
    /// `name` is what follows `docker-credential-`; the whole file name is understood too.
    pub fn new(name: &str, deadline: Duration, helpers: Arc<Helpers>) -> Self {
        let name = name.strip_prefix("docker-credential-").unwrap_or(name);
        Self { name: name.into(), deadline, helpers }
    }
}

impl CredentialProvider for Helper {
    fn fetch<'a>(&'a self, wanted: &'a Wanted<'a>) -> Fetch<'a> {
        Box::pin(async {
            let question = Question { helper: &self.name, key: None, deadline: self.deadline };
            self.helpers.ask(&question, wanted).await
        })
    }

    fn refused(&self, id: CredentialId) {
        self.helpers.refused(id);
    }
}

/// All helpers, whoever names them, and what they answered: each is asked once for each login.
#[derive(Debug)]
pub struct Helpers {
    folders: Arc<[PathBuf]>,
    answers: Answers,
}

/// Whom to ask, and how.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) helper: &'a str,
    /// A further key that the login may be kept under.
    pub(super) key: Option<&'a str>,
    pub(super) deadline: Duration,
}

impl Helpers {
    pub fn new(environment: &Environment) -> Arc<Self> {
        Arc::new(Self { folders: environment.program_folders().into(), answers: Answers::new() })
    }

    /// The first login among the keys that it may be kept under: legacy keys, the host, a file's own spelling.
    pub(super) async fn ask(&self, question: &Question<'_>, wanted: &Wanted<'_>) -> Result<Found, CredentialError> {
        let mut servers: Vec<&str> = wanted.legacy_keys.to_vec();
        let key = question.key.filter(|key| key.bytes().all(is_plain));
        for server in [Some(wanted.registry.as_str()), key].into_iter().flatten() {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        for server in servers {
            let found = self.ask_for(question, server).await?;
            if !found.is_anonymous() {
                return Ok(found);
            }
        }
        Ok(Found::anonymous())
    }

    async fn ask_for(&self, question: &Question<'_>, server: &str) -> Result<Found, CredentialError> {
        let (folders, deadline) = (self.folders.clone(), question.deadline);
        let (name, asked): (Arc<str>, Arc<str>) = (question.helper.into(), server.into());
        let ask = move || {
            let (folders, name, asked) = (folders.clone(), name.clone(), asked.clone());
            async move {
                let credential = process::ask(&folders, &name, &asked, deadline).await?;
                Ok(Found::new(credential, format!("docker-credential-{name}")))
            }
        };
        self.answers.get(question.helper, server, ask).await
    }

    pub(super) fn refused(&self, id: CredentialId) {
        self.answers.refused(id);
    }

    /// Makes the next use of a helper ask it again.
    pub(super) fn forget(&self, helper: &str) {
        self.answers.forget(helper);
    }
}

/// The protocol is one line of text, and errors show it within a command to run.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:/[]".contains(&byte)
}

#[cfg(test)]
mod tests;

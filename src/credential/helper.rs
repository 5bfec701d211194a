//! Credentials from `docker-credential-*` programs (docker/docker-credential-helpers, README, "Development").

mod answer_cache;
mod process;
pub mod protocol;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::answer_cache::AnswerCache;
use super::absence::Absences;
use super::environment::Environment;
use super::{
    CredentialError, CredentialFuture, CredentialId, CredentialProvider, CredentialRequest, ResolvedCredential,
};

/// The provider for one helper that the configuration names.
#[derive(Debug)]
pub struct HelperProvider {
    name: Box<str>,
    timeout: Duration,
    helpers: Arc<Helpers>,
    absences: Absences,
}

impl HelperProvider {
    /// `name` is the program's name with or without `docker-credential-`. `timeout` is for one call.
    pub fn new(name: &str, timeout: Duration, helpers: Arc<Helpers>) -> Self {
        let name = name.strip_prefix("docker-credential-").unwrap_or(name);
        Self { name: name.into(), timeout, helpers, absences: Absences::default() }
    }
}

impl CredentialProvider for HelperProvider {
    fn fetch<'a>(&'a self, request: &'a CredentialRequest<'a>) -> CredentialFuture<'a> {
        Box::pin(async {
            let query = HelperQuery { helper: &self.name, key: None, timeout: self.timeout };
            let answer = self.helpers.query(&query, request).await?;
            if answer.is_anonymous() {
                let why = format!("docker-credential-{} has no credential for {}", self.name, request.registry);
                return Ok(self.absences.report(request.registry, &why));
            }
            self.absences.forget(request.registry);
            Ok(answer)
        })
    }

    fn note_rejected(&self, id: CredentialId) {
        self.helpers.note_rejected(id);
    }
}

/// All helper programs and their cached answers. Every provider shares them, so that each helper is called once for
/// each key.
#[derive(Debug)]
pub struct Helpers {
    folders: Arc<[PathBuf]>,
    answers: AnswerCache,
}

/// A query to one helper.
#[derive(Debug)]
pub(super) struct HelperQuery<'a> {
    pub(super) helper: &'a str,
    /// An additional key under which the helper may store the credential.
    pub(super) key: Option<&'a str>,
    pub(super) timeout: Duration,
}

impl Helpers {
    pub fn new(environment: &Environment) -> Arc<Self> {
        Arc::new(Self { folders: environment.program_folders().into(), answers: AnswerCache::new() })
    }

    /// Calls the helper with the request's legacy keys, then with the host, then with the query's key, until it has a
    /// credential.
    pub(super) async fn query(
        &self,
        query: &HelperQuery<'_>,
        request: &CredentialRequest<'_>,
    ) -> Result<ResolvedCredential, CredentialError> {
        let mut servers: Vec<&str> = request.legacy_keys.to_vec();
        let key = query.key.filter(|key| key.bytes().all(is_safe));
        for server in [Some(request.registry.as_str()), key].into_iter().flatten() {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        for server in servers {
            let resolved = self.query_server(query, server).await?;
            if !resolved.is_anonymous() {
                return Ok(resolved);
            }
        }
        Ok(ResolvedCredential::anonymous())
    }

    async fn query_server(&self, query: &HelperQuery<'_>, server: &str) -> Result<ResolvedCredential, CredentialError> {
        let (folders, timeout) = (self.folders.clone(), query.timeout);
        let (name, server_url): (Arc<str>, Arc<str>) = (query.helper.into(), server.into());
        let call = move || {
            let (folders, name, server) = (folders.clone(), name.clone(), server_url.clone());
            async move {
                let credential = process::get(&folders, &name, &server, timeout).await?;
                Ok(ResolvedCredential::new(credential, format!("docker-credential-{name}")))
            }
        };
        self.answers.get(query.helper, server, call).await
    }

    pub(super) fn note_rejected(&self, id: CredentialId) {
        self.answers.note_rejected(id);
    }

    /// Drops a helper's cached answers, so that the next query calls it.
    pub(super) fn forget(&self, helper: &str) {
        self.answers.forget(helper);
    }
}

/// Whether a byte may be in a key passed to a helper: the protocol is one line of text, and error messages suggest a
/// shell command that contains the key.
fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:/[]".contains(&byte)
}

#[cfg(test)]
mod tests;

//! Credentials written in the configuration, as values or as files that contain one secret each.

use futures_util::future::join_all;

use super::secret_reader::SecretReader;
use super::{
    Credential, CredentialError, CredentialFuture, CredentialId, CredentialProvider, CredentialRequest, FileProblems,
    ResolvedCredential,
};
use crate::base::secret::Secret;
use crate::config::model::{SecretSource, ValueSource};

/// A credential written in the configuration. It is the same for every registry.
#[derive(Debug)]
pub struct ConfiguredCredential {
    kind: Kind,
    source: Box<str>,
}

#[derive(Debug)]
enum Kind {
    Anonymous,
    Password { username: SecretReader, password: SecretReader },
    Identity { username: Option<SecretReader>, token: SecretReader },
    Bearer { token: SecretReader },
}

impl ConfiguredCredential {
    pub fn anonymous() -> Self {
        Self { kind: Kind::Anonymous, source: "no credential".into() }
    }

    pub fn password(username: &SecretSource, password: &SecretSource) -> Self {
        let source = source_text("password", password);
        Self {
            kind: Kind::Password { username: SecretReader::new(username), password: SecretReader::new(password) },
            source,
        }
    }

    pub fn identity(token: &SecretSource, username: Option<&SecretSource>) -> Self {
        let source = source_text("identity token", token);
        Self {
            kind: Kind::Identity { username: username.map(SecretReader::new), token: SecretReader::new(token) },
            source,
        }
    }

    pub fn bearer(token: &SecretSource) -> Self {
        Self { kind: Kind::Bearer { token: SecretReader::new(token) }, source: source_text("bearer token", token) }
    }

    fn readers(&self) -> impl Iterator<Item = &SecretReader> {
        let (first, second) = match &self.kind {
            Kind::Anonymous => (None, None),
            Kind::Password { username, password } => (Some(username), Some(password)),
            Kind::Identity { username, token } => (username.as_ref(), Some(token)),
            Kind::Bearer { token } => (None, Some(token)),
        };
        first.into_iter().chain(second)
    }

    async fn credential(&self) -> Result<Credential, CredentialError> {
        Ok(match &self.kind {
            Kind::Anonymous => Credential::Anonymous,
            Kind::Password { username, password } => Credential::Password {
                username: username.current().await?.expose().into(),
                password: Secret::clone(&*password.current().await?),
            },
            Kind::Identity { username, token } => Credential::Identity {
                username: match username {
                    Some(username) => Some(username.current().await?.expose().into()),
                    None => None,
                },
                token: Secret::clone(&*token.current().await?),
            },
            Kind::Bearer { token } => Credential::Bearer { token: Secret::clone(&*token.current().await?) },
        })
    }
}

impl CredentialProvider for ConfiguredCredential {
    fn fetch<'a>(&'a self, _request: &'a CredentialRequest<'a>) -> CredentialFuture<'a> {
        Box::pin(async { Ok(ResolvedCredential::new(self.credential().await?, self.source.clone())) })
    }

    fn note_rejected(&self, _id: CredentialId) {}

    fn file_problems(&self) -> FileProblems<'_> {
        Box::pin(async { join_all(self.readers().map(SecretReader::problem)).await.into_iter().flatten().collect() })
    }
}

fn source_text(kind: &str, secret: &SecretSource) -> Box<str> {
    match secret {
        SecretSource::Value { source: ValueSource::Literal, .. } => format!("{kind} in the configuration"),
        SecretSource::Value { source: ValueSource::Variable(name), .. } => format!("{kind} in ${name}"),
        SecretSource::File(path) => format!("{kind} in {}", path.display()),
    }
    .into()
}

#[cfg(test)]
mod tests;

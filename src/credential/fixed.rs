//! Credentials that the configuration names: a value, or a file that holds nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::watched::Watched;
use super::{Credential, CredentialError, CredentialId, CredentialProvider, Fetch, Found, Wanted};
use crate::base::secret::Secret;
use crate::config::model::{SecretSource, ValueOrigin};

/// One credential for whatever it is configured for.
#[derive(Debug)]
pub struct Fixed {
    kind: Kind,
    source: Box<str>,
}

#[derive(Debug)]
enum Kind {
    Anonymous,
    Password { username: Text, password: Text },
    Identity { username: Option<Text>, token: Text },
    Bearer { token: Text },
}

/// A text in the configuration's terms: itself, or the file it is read from.
#[derive(Debug)]
enum Text {
    Value(Arc<Secret>),
    File(Watched<Secret>),
}

impl Fixed {
    pub fn anonymous() -> Self {
        Self { kind: Kind::Anonymous, source: "no credential".into() }
    }

    pub fn password(username: &SecretSource, password: &SecretSource) -> Self {
        let source = source("password", password);
        Self { kind: Kind::Password { username: Text::new(username), password: Text::new(password) }, source }
    }

    pub fn identity(token: &SecretSource, username: Option<&SecretSource>) -> Self {
        let source = source("identity token", token);
        Self { kind: Kind::Identity { username: username.map(Text::new), token: Text::new(token) }, source }
    }

    pub fn bearer(token: &SecretSource) -> Self {
        Self { kind: Kind::Bearer { token: Text::new(token) }, source: source("bearer token", token) }
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

impl CredentialProvider for Fixed {
    fn fetch<'a>(&'a self, _wanted: &'a Wanted<'a>) -> Fetch<'a> {
        Box::pin(async { Ok(Found::new(self.credential().await?, self.source.clone())) })
    }

    fn refused(&self, _id: CredentialId) {}
}

impl Text {
    fn new(source: &SecretSource) -> Self {
        match source {
            SecretSource::Value { secret, .. } => Self::Value(Arc::new(secret.clone())),
            SecretSource::File(path) => Self::File(Watched::new(PathBuf::clone(path), parse)),
        }
    }

    async fn current(&self) -> Result<Arc<Secret>, CredentialError> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::File(file) => file.required().await,
        }
    }
}

/// The whole file is the secret, less the line end that editors and `echo` add. It may have further lines: there are
/// registries whose password is a key file in JSON.
fn parse(path: &Path, bytes: &[u8]) -> Result<Secret, CredentialError> {
    let wrong = |what| Err(CredentialError::new(format!("{} {what}", path.display())));
    let Ok(text) = str::from_utf8(bytes) else {
        return wrong("is not UTF-8 text; write the secret into it and nothing else");
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => wrong("is empty; write the secret into it"),
        secret => Ok(Secret::new(secret)),
    }
}

fn source(what: &str, secret: &SecretSource) -> Box<str> {
    match secret {
        SecretSource::Value { origin: ValueOrigin::Literal, .. } => format!("{what} in the configuration"),
        SecretSource::Value { origin: ValueOrigin::Variable(name), .. } => format!("{what} in ${name}"),
        SecretSource::File(path) => format!("{what} in {}", path.display()),
    }
    .into()
}

#[cfg(test)]
mod tests;

//! Credentials that the configuration names: a value, or a file that holds nothing else.

use futures_util::future::join_all;

use super::secret::Reading;
use super::{Credential, CredentialError, CredentialId, CredentialProvider, Fetch, Found, Troubles, Wanted};
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
    Password { username: Reading, password: Reading },
    Identity { username: Option<Reading>, token: Reading },
    Bearer { token: Reading },
}

impl Fixed {
    pub fn anonymous() -> Self {
        Self { kind: Kind::Anonymous, source: "no credential".into() }
    }

    pub fn password(username: &SecretSource, password: &SecretSource) -> Self {
        let source = source("password", password);
        Self { kind: Kind::Password { username: Reading::new(username), password: Reading::new(password) }, source }
    }

    pub fn identity(token: &SecretSource, username: Option<&SecretSource>) -> Self {
        let source = source("identity token", token);
        Self { kind: Kind::Identity { username: username.map(Reading::new), token: Reading::new(token) }, source }
    }

    pub fn bearer(token: &SecretSource) -> Self {
        Self { kind: Kind::Bearer { token: Reading::new(token) }, source: source("bearer token", token) }
    }

    fn readings(&self) -> impl Iterator<Item = &Reading> {
        let (one, other) = match &self.kind {
            Kind::Anonymous => (None, None),
            Kind::Password { username, password } => (Some(username), Some(password)),
            Kind::Identity { username, token } => (username.as_ref(), Some(token)),
            Kind::Bearer { token } => (None, Some(token)),
        };
        one.into_iter().chain(other)
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

    fn troubles(&self) -> Troubles<'_> {
        Box::pin(async { join_all(self.readings().map(Reading::trouble)).await.into_iter().flatten().collect() })
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

//! Where secrets come from: the configuration, files, docker's configuration, credential helpers, clouds.
//!
//! [`sources::Sources`] builds one provider for each source in use, [`chain::Credentials`] chooses among the providers
//! of one registry; a [`secret::Reading`] is one secret alone. Helpers and clouds are asked while requests come in and never otherwise, files
//! are looked at all the time; what they said last stays in force when they fail.

pub mod chain;
pub mod cloud;
pub mod docker;
pub mod environment;
pub mod fixed;
pub mod helper;
pub mod secret;
pub mod sources;
pub mod watched;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use self::watched::BadFile;
use crate::base::host::RegistryHost;
use crate::base::origin::Origin;
use crate::base::secret::Secret;
use crate::net::client::Client;
use crate::oci::name::RepositoryName;

/// What regpass may show to a registry or to its token service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Anonymous,
    Password {
        username: Box<str>,
        password: Secret,
    },
    /// A refresh token ("identity token" in docker's words), good at token services only.
    Identity {
        username: Option<Box<str>>,
        token: Secret,
    },
    /// A token the registry takes as it is.
    Bearer {
        token: Secret,
    },
}

impl Credential {
    /// What docker's files and helpers mean by a user name and a secret: a special user name marks the secret as an
    /// identity token (docker/docker-credential-helpers, README, "Development").
    pub fn from_login(username: String, secret: Secret) -> Self {
        if username == "<token>" {
            Self::Identity { username: None, token: secret }
        } else {
            Self::Password { username: username.into(), password: secret }
        }
    }
}

/// Tells credentials apart without holding them: equal for equal credentials, within this process only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId([u8; 16]);

/// A credential in use: what it is, and where a person finds it.
#[derive(Clone, Debug)]
pub struct Found {
    pub credential: Credential,
    pub id: CredentialId,
    /// For messages: `password in the configuration`, `~/.docker/config.json`, `docker-credential-pass`.
    pub source: Box<str>,
    /// When it ends, where whoever lent it told.
    pub expires: Option<Instant>,
}

impl Found {
    pub fn new(credential: Credential, source: impl Into<Box<str>>) -> Self {
        let id = CredentialId::of(&credential);
        Self { credential, id, source: source.into(), expires: None }
    }

    pub fn anonymous() -> Self {
        Self::new(Credential::Anonymous, "no credential")
    }

    /// Who a registry takes a request with it for: where the login comes from, or `anonymous`.
    pub fn identity(&self) -> &str {
        if self.is_anonymous() { "anonymous" } else { &self.source }
    }

    /// The same, good until then.
    pub fn until(self, expires: Instant) -> Self {
        Self { expires: Some(expires), ..self }
    }

    pub fn is_anonymous(&self) -> bool {
        self.credential == Credential::Anonymous
    }
}

impl CredentialId {
    /// Salted per process, so that the id is worth nothing outside it.
    fn of(credential: &Credential) -> Self {
        static SALT: LazyLock<[u8; 32]> = LazyLock::new(|| std::array::from_fn(|_| fastrand::u8(..)));
        let (kind, user, secret) = match credential {
            Credential::Anonymous => ("anonymous", "", ""),
            Credential::Password { username, password } => ("password", &**username, password.expose()),
            Credential::Identity { username, token } => ("identity", username.as_deref().unwrap_or(""), token.expose()),
            Credential::Bearer { token } => ("bearer", "", token.expose()),
        };
        let mut hash = Sha256::new();
        hash.update(*SALT);
        for part in [kind, user, secret] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// For what a credential is wanted.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub registry: &'a RegistryHost,
    /// Further keys under which the registry's login may be kept, such as `https://index.docker.io/v1/`.
    pub legacy_keys: &'a [&'a str],
    pub repository: Option<&'a RepositoryName>,
    /// By name. A source that is for one kind of registry has nothing for the others.
    pub profile: &'static str,
    /// Where the registry's API is, and the way there, for a source that has to ask the registry itself.
    pub origin: &'a Origin,
    pub client: &'a Arc<Client>,
}

/// Why there is no credential although one is configured.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}")]
pub struct CredentialError {
    /// What failed, where, and what to do; never a secret, never a helper's raw output.
    pub what: String,
}

impl CredentialError {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

pub type Fetch<'a> = Pin<Box<dyn Future<Output = Result<Found, CredentialError>> + Send + 'a>>;

/// What is wrong with the files of a source.
pub type Troubles<'a> = BoxFuture<'a, Vec<BadFile>>;

/// A source of credentials.
pub trait CredentialProvider: fmt::Debug + Send + Sync {
    /// The credential in force now; [`Credential::Anonymous`] when the source has none for this registry.
    ///
    /// Called for every request: an implementation answers from memory and looks at the outside (files, helpers)
    /// only when it must.
    fn fetch<'a>(&'a self, wanted: &'a Wanted<'a>) -> Fetch<'a>;

    /// The registry refused `id`: a source that keeps answers for a while asks anew next time.
    ///
    /// To be called for every refusal, also of an answer that was refused before: it is for the source to see that
    /// nobody is asked too often. Files need no such word, they are looked at all the time.
    fn refused(&self, id: CredentialId);

    /// The registry refused something, and `id` may be the reason or not: a source that knows how old its answers are
    /// takes it for a refusal of those only that are not new.
    fn doubted(&self, id: CredentialId) {
        self.refused(id);
    }

    /// Looks at the files it follows and says what is wrong with them, whether or not somebody wants a credential. What
    /// was read so stays in force when a file breaks before its first use.
    fn troubles(&self) -> Troubles<'_> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

#[cfg(test)]
mod tests;

//! The credentials that regpass sends to registries and token services, and their sources: the configuration, files,
//! docker's configuration, credential helpers and clouds.
//!
//! [`sources::Sources`] builds one [`CredentialProvider`] for each source in use, and
//! [`registry_credentials::RegistryCredentials`] selects among those of one registry. Files are checked while they are
//! in use, helpers and clouds are called only for requests. If a source fails, its last good credential is used until
//! it expires.

mod absence;
pub mod cloud;
pub mod configured;
pub mod docker;
pub mod environment;
pub mod helper;
pub mod registry_credentials;
pub mod secret_reader;
pub mod sources;

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::base::host::RegistryHost;
use crate::base::origin::Origin;
use crate::base::secret::Secret;
use crate::base::watched_file::{FileError, FileProblem};
use crate::net::client::HttpClient;
use crate::oci::name::RepositoryName;

/// A credential for a registry or its token service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Anonymous,
    Password {
        username: Box<str>,
        password: Secret,
    },
    /// A refresh token, which docker calls an identity token. It is meant for token services.
    Identity {
        username: Option<Box<str>>,
        token: Secret,
    },
    /// A token that is sent to the registry itself, as `Authorization: Bearer`.
    Bearer {
        token: Secret,
    },
}

impl Credential {
    /// The credential in a user name and secret of docker's files and helpers: the user name `<token>` marks the secret
    /// as an identity token (docker/docker-credential-helpers, README, "Development").
    pub fn from_username_and_secret(username: String, secret: Secret) -> Self {
        if username == "<token>" {
            Self::Identity { username: None, token: secret }
        } else {
            Self::Password { username: username.into(), password: secret }
        }
    }
}

/// Identifies a credential without containing it. Equal credentials have equal ids within one process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId([u8; 16]);

/// A credential with its source.
#[derive(Clone, Debug)]
pub struct ResolvedCredential {
    pub credential: Credential,
    pub id: CredentialId,
    /// Where an operator finds the credential, for messages: `password in the configuration`, `~/.docker/config.json`,
    /// `docker-credential-pass`.
    pub source: Box<str>,
    /// When the credential expires, if the source says.
    pub expires: Option<Instant>,
}

impl ResolvedCredential {
    pub fn new(credential: Credential, source: impl Into<Box<str>>) -> Self {
        let id = CredentialId::of(&credential);
        Self { credential, id, source: source.into(), expires: None }
    }

    pub fn anonymous() -> Self {
        Self::new(Credential::Anonymous, NO_CREDENTIAL)
    }

    /// The anonymous credential of a source that has none for a registry. `why` completes messages to the client.
    pub fn absent(why: &str) -> Self {
        Self::new(Credential::Anonymous, format!("{NO_CREDENTIAL} ({why})"))
    }

    /// Why the source has no credential for the registry, if it has none.
    pub fn absence(&self) -> Option<&str> {
        let why = self.source.strip_prefix(NO_CREDENTIAL)?.strip_prefix(" (")?.strip_suffix(')');
        why.filter(|_| self.is_anonymous())
    }

    /// The identity of requests with this credential, for logs and the status: its source, or `anonymous`.
    pub fn identity(&self) -> &str {
        if self.is_anonymous() { "anonymous" } else { &self.source }
    }

    /// Sets when the credential expires.
    pub fn with_expiry(self, expires: Instant) -> Self {
        Self { expires: Some(expires), ..self }
    }

    pub fn is_anonymous(&self) -> bool {
        self.credential == Credential::Anonymous
    }
}

impl CredentialId {
    /// Salted per process, so that an id reveals nothing outside it.
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

/// The source of the anonymous credential.
const NO_CREDENTIAL: &str = "no credential";

/// What a credential is needed for.
#[derive(Clone, Debug)]
pub struct CredentialRequest<'a> {
    pub registry: &'a RegistryHost,
    /// Additional keys under which docker's files and helpers may store the registry's credential, such as
    /// `https://index.docker.io/v1/`.
    pub legacy_keys: &'a [&'a str],
    pub repository: Option<&'a RepositoryName>,
    /// The name of the registry's profile. A cloud has credentials for its own profiles only.
    pub profile: &'static str,
    /// The registry's origin and client, for a source that sends a request to the registry itself.
    pub origin: &'a Origin,
    pub client: &'a Arc<HttpClient>,
}

/// Why there is no credential although one is configured.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CredentialError {
    /// What failed, where, and what to do. Contains no secret and no raw output of a helper.
    pub message: String,
}

impl CredentialError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl From<FileError> for CredentialError {
    fn from(error: FileError) -> Self {
        Self::new(error.to_string())
    }
}

/// The future of [`CredentialProvider::fetch`].
pub type CredentialFuture<'a> = Pin<Box<dyn Future<Output = Result<ResolvedCredential, CredentialError>> + Send + 'a>>;

/// The future of [`CredentialProvider::file_problems`].
pub type FileProblems<'a> = BoxFuture<'a, Vec<FileProblem>>;

/// The future of [`CredentialProvider::file_oddities`].
pub type FileOddities<'a> = BoxFuture<'a, Vec<FileOddity>>;

/// What in a file has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOddity {
    pub file: PathBuf,
    /// Where in the file.
    pub key: String,
    pub what: String,
    pub hint: String,
}

/// A source of credentials.
pub trait CredentialProvider: fmt::Debug + Send + Sync {
    /// The current credential; [`Credential::Anonymous`] if the source has none for this registry.
    ///
    /// Called for every request, so implementations answer from a cache and read files or call helpers only when
    /// needed.
    fn fetch<'a>(&'a self, request: &'a CredentialRequest<'a>) -> CredentialFuture<'a>;

    /// Reports that the registry rejected the credential `id`, so that a source that caches credentials renews it.
    ///
    /// Callers report every rejection, also repeated ones: the source limits how often it renews. Sources that only
    /// read files ignore it, because they notice a changed file anyway.
    fn note_rejected(&self, id: CredentialId);

    /// Reports a rejection that may have another reason than the credential `id`. A source that knows the age of its
    /// credentials ignores the report for new ones.
    fn note_suspect(&self, id: CredentialId) {
        self.note_rejected(id);
    }

    /// What in the source's files has no effect and is probably a mistake. For `regpass check`.
    fn file_oddities(&self) -> FileOddities<'_> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// Checks the source's files and returns what is wrong with them. This also loads them, so that a file that breaks
    /// before its first use has a last good content.
    fn file_problems(&self) -> FileProblems<'_> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

#[cfg(test)]
mod tests;

//! Authentication of regpass's own clients at a listener.
//!
//! For the requests of an accepted client regpass uses the registries' credentials. The client's own credential is
//! never forwarded.

pub mod htpasswd_file;
mod password_verifier;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use self::htpasswd_file::Users;
use self::password_verifier::PasswordVerifier;
use crate::base::client_name::ClientName;
use crate::base::secret::Secret;
use crate::base::watched_file::{FileProblem, WatchedFile};
use crate::config::model::{ClientRule, Listener};
use crate::credential::CredentialError;
use crate::credential::secret_reader::SecretReader;
use crate::listen::peer::Peer;

/// How one listener authenticates its clients.
#[derive(Clone, Debug, Default)]
pub struct ClientAuth {
    /// Ids of the users that may connect to a Unix socket; `None` allows all.
    uids: Option<BTreeSet<u32>>,
    /// `None` accepts every client without a credential.
    method: Option<Arc<AuthMethod>>,
}

/// How a client proves its identity. Files are read again when they change; a file's last valid content stays in use
/// while the file is unusable.
#[derive(Debug)]
pub enum AuthMethod {
    Htpasswd {
        users: WatchedFile<Users>,
        verifier: PasswordVerifier,
    },
    Bearer(SecretReader),
    /// The TLS handshake has verified the certificate.
    Certificate,
}

/// Why a client is rejected.
#[derive(Clone, Debug)]
pub enum AuthRejection {
    /// No credential, several, or one in a form that the method does not accept.
    NoCredential,
    WrongCredential,
    NoCertificate,
    /// A user of this machine that is not in `uids`; `None` if the user is unknown.
    Uid(Option<u32>),
    /// The password could not be checked in time because too many others are being checked.
    Busy,
    /// The method's file was never read successfully.
    Unreadable(CredentialError),
}

/// The credential in a request's `Authorization` header.
enum SentCredential {
    Basic { user: Secret, password: Secret },
    Bearer(Secret),
}

impl AuthMethod {
    pub fn new(rule: &ClientRule) -> Self {
        match rule {
            ClientRule::Htpasswd(file) => {
                let users = WatchedFile::new(PathBuf::clone(file), htpasswd_file::parse);
                Self::Htpasswd { users, verifier: PasswordVerifier::default() }
            }
            ClientRule::Bearer(source) => Self::Bearer(SecretReader::new(source)),
            ClientRule::MutualTls(_) => Self::Certificate,
        }
    }

    /// The problem with the method's file, if there is one. Reads the file, so that a valid content is known if the
    /// file becomes unusable before the first client connects.
    pub async fn problem(&self) -> Option<FileProblem> {
        match self {
            Self::Htpasswd { users, .. } => users.problem(true).await,
            Self::Bearer(secret) => secret.problem().await,
            Self::Certificate => None,
        }
    }

    async fn authenticate(&self, headers: &HeaderMap, peer: &Peer) -> Result<Option<ClientName>, AuthRejection> {
        match self {
            Self::Htpasswd { users, verifier } => {
                let Some(SentCredential::Basic { user, password }) = SentCredential::of(headers) else {
                    return Err(AuthRejection::NoCredential);
                };
                let users = users.current().await.map_err(|error| AuthRejection::Unreadable(error.into()))?;
                if verifier.verify(&users, &user, &password).await? {
                    Ok(Some(ClientName::Named(user.expose().into())))
                } else {
                    Err(AuthRejection::WrongCredential)
                }
            }
            Self::Bearer(secret) => {
                // Clients that can only send Basic, such as docker, send the secret as the password, with any user name.
                let (SentCredential::Bearer(sent) | SentCredential::Basic { password: sent, .. }) =
                    SentCredential::of(headers).ok_or(AuthRejection::NoCredential)?;
                let secret = secret.current().await.map_err(AuthRejection::Unreadable)?;
                if is_same(&sent, &secret) { Ok(Some(ClientName::Bearer)) } else { Err(AuthRejection::WrongCredential) }
            }
            Self::Certificate => {
                let certificate = peer.certificate.as_ref().ok_or(AuthRejection::NoCertificate)?;
                Ok(certificate.name.clone().map(ClientName::Named))
            }
        }
    }
}

impl ClientAuth {
    pub fn new(listener: &Listener, method: Option<Arc<AuthMethod>>) -> Self {
        Self { uids: listener.uids.clone(), method }
    }

    /// Authenticates the client of a request. Returns its name, if it has one.
    pub async fn authenticate(&self, headers: &HeaderMap, peer: &Peer) -> Result<Option<ClientName>, AuthRejection> {
        self.check_uid(peer)?;
        match &self.method {
            Some(method) => method.authenticate(headers, peer).await,
            None => Ok(peer.uid.map(ClientName::Uid)),
        }
    }

    /// Checks only the user of the connection, for requests that need no credential.
    pub fn check_uid(&self, peer: &Peer) -> Result<(), AuthRejection> {
        match &self.uids {
            Some(uids) if !peer.uid.is_some_and(|uid| uids.contains(&uid)) => Err(AuthRejection::Uid(peer.uid)),
            _ => Ok(()),
        }
    }
}

impl SentCredential {
    /// The credential of a request. `None` without one, if it is malformed, and if there are several: it is unclear
    /// which one counts.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(header), None) = (values.next(), values.next()) else { return None };
        let (scheme, value) = header.to_str().ok()?.split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(Secret::new(value)));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = Secret::new(String::from_utf8(STANDARD.decode(value).ok()?).ok()?);
        let (user, password) = pair.expose().split_once(':')?;
        Some(Self::Basic { user: Secret::new(user), password: Secret::new(password) })
    }
}

impl fmt::Display for AuthRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredential => {
                f.write_str("this listener requires a credential; ask the operator of regpass for one")
            }
            Self::WrongCredential => f.write_str("this listener does not accept the client's credential"),
            Self::NoCertificate => f.write_str("this listener requires a client certificate"),
            Self::Uid(Some(uid)) => {
                write!(f, "the user id {uid} may not use this listener; to allow it, add it to the listener's `uids`")
            }
            Self::Uid(None) => {
                f.write_str("the client's user id is unknown, and this listener only accepts the ones in its `uids`")
            }
            Self::Busy => f.write_str("too many passwords are being checked; retry in some seconds"),
            Self::Unreadable(_) => {
                f.write_str("regpass cannot read the file with this listener's client credentials; see its log")
            }
        }
    }
}

/// Compares two secrets in constant time.
fn is_same(sent: &Secret, secret: &Secret) -> bool {
    let digest = |secret: &Secret| Sha256::digest(secret.expose());
    verify_slices_are_equal(&digest(sent), &digest(secret)).is_ok()
}

#[cfg(test)]
mod tests;

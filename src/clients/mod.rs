//! Who may use a listener: its rule, judged by what a request brings along.
//!
//! Whoever is let in uses the logins behind the listener. What a client shows here is for regpass alone and goes no
//! further.

pub mod htpasswd;
mod logins;

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

use self::htpasswd::Users;
use self::logins::Logins;
use crate::base::client_name::ClientName;
use crate::base::secret::Secret;
use crate::config::model::{ClientRule, Listener};
use crate::credential::CredentialError;
use crate::credential::secret::Reading;
use crate::credential::watched::{BadFile, Watched};
use crate::net::peer::Peer;

/// What a listener demands of those who come in by it.
#[derive(Clone, Debug, Default)]
pub struct Door {
    uids: Option<BTreeSet<u32>>,
    rule: Option<Arc<Rule>>,
}

/// Who may use a listener. Follows the files it is made from; what they said last stays in force when they break.
#[derive(Debug)]
pub enum Rule {
    Htpasswd {
        users: Watched<Users>,
        logins: Logins,
    },
    Bearer(Reading),
    /// Seen to where TLS is agreed on.
    Certificate,
}

/// Why somebody is not let in.
#[derive(Clone, Debug)]
pub enum Refused {
    /// No login, or a kind that the rule does not take.
    NoLogin,
    WrongLogin,
    NoCertificate,
    /// A user of this machine that is not listed, if the kernel tells who.
    Uid(Option<u32>),
    /// More logins are waiting to be checked than can be in reasonable time.
    Busy,
    /// The rule's file was never readable.
    Unreadable(CredentialError),
}

/// What a client shows.
enum Login {
    Basic { user: Secret, password: Secret },
    Bearer(Secret),
}

impl Rule {
    pub fn new(rule: &ClientRule) -> Self {
        match rule {
            ClientRule::Htpasswd(file) => {
                let users = Watched::new(PathBuf::clone(file), htpasswd::parse);
                Self::Htpasswd { users, logins: Logins::default() }
            }
            ClientRule::Bearer(source) => Self::Bearer(Reading::new(source)),
            ClientRule::MutualTls(_) => Self::Certificate,
        }
    }

    /// What is wrong with its file now. What was read so stays in force when the file breaks before its first use.
    pub async fn trouble(&self) -> Option<BadFile> {
        match self {
            Self::Htpasswd { users, .. } => users.trouble(true).await,
            Self::Bearer(secret) => secret.trouble().await,
            Self::Certificate => None,
        }
    }

    async fn admit(&self, headers: &HeaderMap, peer: &Peer) -> Result<Option<ClientName>, Refused> {
        match self {
            Self::Htpasswd { users, logins } => {
                let Some(Login::Basic { user, password }) = Login::of(headers) else { return Err(Refused::NoLogin) };
                let users = users.required().await.map_err(Refused::Unreadable)?;
                if logins.are_good(&users, &user, &password).await? {
                    Ok(Some(ClientName::Named(user.expose().into())))
                } else {
                    Err(Refused::WrongLogin)
                }
            }
            Self::Bearer(secret) => {
                // Who can only send Basic, as docker can, sends it as the password of anybody.
                let (Login::Bearer(shown) | Login::Basic { password: shown, .. }) =
                    Login::of(headers).ok_or(Refused::NoLogin)?;
                let secret = secret.current().await.map_err(Refused::Unreadable)?;
                if is_same(&shown, &secret) { Ok(Some(ClientName::Bearer)) } else { Err(Refused::WrongLogin) }
            }
            Self::Certificate => {
                let certificate = peer.certificate.as_ref().ok_or(Refused::NoCertificate)?;
                Ok(certificate.name.clone().map(ClientName::Named))
            }
        }
    }
}

impl Door {
    pub fn new(listener: &Listener, rule: Option<Arc<Rule>>) -> Self {
        Self { uids: listener.uids.clone(), rule }
    }

    /// Lets a request in, and says whose it is as far as that is known.
    pub async fn admit(&self, headers: &HeaderMap, peer: &Peer) -> Result<Option<ClientName>, Refused> {
        self.admit_user(peer)?;
        match &self.rule {
            Some(rule) => rule.admit(headers, peer).await,
            None => Ok(peer.uid.map(ClientName::Uid)),
        }
    }

    /// As [`admit`](Self::admit), as far as the connection is concerned: for those who carry no login.
    pub fn admit_user(&self, peer: &Peer) -> Result<(), Refused> {
        match &self.uids {
            Some(uids) if !peer.uid.is_some_and(|uid| uids.contains(&uid)) => Err(Refused::Uid(peer.uid)),
            _ => Ok(()),
        }
    }
}

impl Login {
    /// The one login of a request: of two nobody knows which is meant.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let (Some(header), None) = (shown.next(), shown.next()) else { return None };
        let (scheme, word) = header.to_str().ok()?.split_once(' ')?;
        let word = word.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(Secret::new(word)));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = Secret::new(String::from_utf8(STANDARD.decode(word).ok()?).ok()?);
        let (user, password) = pair.expose().split_once(':')?;
        Some(Self::Basic { user: Secret::new(user), password: Secret::new(password) })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLogin => f.write_str("this listener wants a login; ask whoever runs regpass for one"),
            Self::WrongLogin => f.write_str("the login is not one that this listener knows"),
            Self::NoCertificate => f.write_str("this listener wants a client certificate"),
            Self::Uid(Some(uid)) => {
                write!(
                    f,
                    "the user with the number {uid} may not use this listener; add it to the listener's 'uids' if it should"
                )
            }
            Self::Uid(None) => f.write_str("the system does not tell which user this is, and the listener has 'uids'"),
            Self::Busy => f.write_str("too many logins wait to be checked; try again in a moment"),
            Self::Unreadable(_) => {
                f.write_str("the listener's list of clients cannot be read; the log of regpass says why")
            }
        }
    }
}

/// Without telling by the time it takes how much of it was right.
fn is_same(shown: &Secret, secret: &Secret) -> bool {
    let digest = |secret: &Secret| Sha256::digest(secret.expose());
    verify_slices_are_equal(&digest(shown), &digest(secret)).is_ok()
}

#[cfg(test)]
mod tests;

//! Why there is no authorization: whose fault, in words for people.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::realm::RealmRefused;
use crate::base::host::RegistryHost;
use crate::base::lease_cache::{Abandoned, FetchError};
use crate::base::origin::Url;
use crate::credential::CredentialError;
use crate::net::error::TransportError;
use crate::oci::scope::ScopeSet;
use crate::oci::token::BadReply;

#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("the token request was given up")]
    Abandoned,
    #[error("the stored login cannot be had: {error}")]
    Credential { error: CredentialError },
    #[error("it does this for logins only, and none is configured; add 'credential' of [registry.\"{registry}\"]")]
    NoLogin { registry: RegistryHost },
    #[error("{0}")]
    Realm(#[from] RealmRefused),
    #[error("its realm {realm} may not see a login; add '{host}' to the registry's 'realm_hosts' if you trust it")]
    RealmSeesNoCredentials { realm: Url, host: String },
    #[error(
        "the token service {realm} granted {} where {asked} was asked, with {source_name}; it takes a login that may do this, see 'credential'",
        or_nothing(granted)
    )]
    NotGranted { realm: Url, asked: ScopeSet, granted: ScopeSet, source_name: Box<str> },
    #[error("the token service {realm} refused {source_name} ({status}){}", said(.message.as_deref()))]
    TokenRefused { realm: Url, status: StatusCode, message: Option<String>, source_name: Box<str> },
    #[error("the token service {realm} is busy ({status}){}", said(.message.as_deref()))]
    TokenBusy { realm: Url, status: StatusCode, message: Option<String>, retry_after: Option<Duration> },
    #[error("the token service {realm} answered {status}{}", said(.message.as_deref()))]
    TokenStatus { realm: Url, status: StatusCode, message: Option<String> },
    #[error("the token service {realm} gave no token: {why}")]
    TokenReply { realm: Url, why: BadReply },
    #[error("the answer of the token service {realm} cannot be read: {why}")]
    TokenBody { realm: Url, why: String },
    #[error("the token service {realm} cannot be reached: {why}")]
    TokenTransport { realm: Url, why: TransportError },
    #[error("the token service {realm} gave no answer within {} s", .limit.as_secs())]
    TokenTimeout { realm: Url, limit: Duration },
    #[error("{0}")]
    Tls(String),
    #[error("the registry cannot be asked what it demands: {0}")]
    Ping(TransportError),
    #[error("the registry cannot be asked what it demands: it answered {status}")]
    PingStatus { status: StatusCode, retry_after: Option<Duration> },
    #[error("{0}")]
    Remembered(String),
    /// What became of a request that went without the login there is.
    #[error("{error}; it was asked anonymously, after the login from {login} was rejected")]
    WithoutLogin { error: Arc<AuthError>, login: Box<str> },
    /// The outcome of a fetch that several requests waited for.
    #[error("{0}")]
    Shared(Arc<AuthError>),
}

impl AuthError {
    /// The error itself, however many share it.
    pub fn inner(&self) -> &Self {
        match self {
            Self::Shared(error) | Self::WithoutLogin { error, .. } => error.inner(),
            error => error,
        }
    }

    /// Whether the token service said no, as opposed to not answering properly.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::TokenRefused { .. })
    }

    /// Whether the token service said no for another reason than the login.
    pub fn is_about_scopes(&self) -> bool {
        matches!(self, Self::TokenRefused { status, .. } if *status != StatusCode::UNAUTHORIZED)
    }

    /// Whether the realm itself seems to be gone, so that what is known of the registry's demand is worth a new look.
    pub fn is_lost_realm(&self) -> bool {
        match self {
            Self::TokenTransport { why, .. } => why.is_outage(),
            Self::TokenStatus { status, .. } => *status == StatusCode::NOT_FOUND || *status == StatusCode::GONE,
            _ => false,
        }
    }
}

impl From<Abandoned> for AuthError {
    fn from(_: Abandoned) -> Self {
        Self::Abandoned
    }
}

impl FetchError for AuthError {
    fn remembered_for(&self) -> Option<Duration> {
        self.is_refusal().then_some(REFUSAL_MEMORY)
    }

    fn put_off_for(&self) -> Option<Duration> {
        match self {
            Self::TokenBusy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn said(message: Option<&str>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

fn or_nothing(granted: &ScopeSet) -> String {
    if granted.is_empty() { "nothing".to_owned() } else { granted.to_string() }
}

/// How long a refusal is believed without asking again.
pub(super) const REFUSAL_MEMORY: Duration = Duration::from_secs(5);

//! Why a request has no authorization.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::realm::RealmRejected;
use crate::base::host::RegistryHost;
use crate::base::lease_cache::{FetchAborted, FetchError};
use crate::base::origin::Url;
use crate::credential::CredentialError;
use crate::net::error::TransportError;
use crate::oci::access_claim::AccessClaim;
use crate::oci::scope::ScopeSet;
use crate::oci::token::InvalidTokenResponse;

/// Failed authorization of a request. Messages follow the registry's name and a colon, so "its" means the registry's.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The task that fetched the token panicked, or the upstream was replaced meanwhile.
    #[error("regpass abandoned the token request (internal error or configuration reload); try again")]
    FetchAborted,
    #[error("cannot get the credential: {error}")]
    Credential { error: CredentialError },
    #[error(
        "this operation needs a credential, and {}; add `credential` to [registry.\"{registry}\"]",
        .absence.as_deref().unwrap_or("none is configured")
    )]
    NoCredential { registry: RegistryHost, absence: Option<Box<str>> },
    #[error("{0}")]
    Realm(#[from] RealmRejected),
    #[error(
        "its token service (realm) {realm} is not trusted with credentials; add `{host}` to the registry's `realm_hosts` if you trust it"
    )]
    UntrustedRealm { realm: Url, host: String },
    #[error(
        "the token service {realm} granted {granted} instead of {requested} with {source_name}; configure a `credential` that may do this"
    )]
    NotGranted { realm: Url, requested: ScopeSet, granted: AccessClaim, source_name: Box<str> },
    #[error(
        "the token service {realm} refused a token with {source_name} ({status}){}{}",
        after_colon(.message.as_deref()),
        .advice.map(|advice| format!("; {advice}")).unwrap_or_default()
    )]
    TokenRefused {
        realm: Url,
        status: StatusCode,
        message: Option<String>,
        source_name: Box<str>,
        advice: Option<&'static str>,
    },
    #[error("the token service {realm} is busy ({status}){}", after_colon(.message.as_deref()))]
    TokenBusy { realm: Url, status: StatusCode, message: Option<String>, retry_after: Option<Duration> },
    #[error("the token service {realm} answered {status}{}", after_colon(.message.as_deref()))]
    TokenStatus { realm: Url, status: StatusCode, message: Option<String> },
    /// The token service of some registries answers 404 for a namespace that does not exist.
    #[error("there is no such namespace, says the token service {realm}{}", after_colon(.message.as_deref()))]
    UnknownNamespace { realm: Url, message: Option<String> },
    #[error("the token service {realm} returned no token: {why}")]
    TokenResponse { realm: Url, why: InvalidTokenResponse },
    #[error("cannot read the response of the token service {realm}: {why}")]
    TokenBody { realm: Url, why: String },
    #[error("the token service {realm} cannot be reached: {why}")]
    TokenTransport { realm: Url, why: TransportError },
    #[error("the token service {realm} did not answer within {} s", .limit.as_secs())]
    TokenTimeout { realm: Url, limit: Duration },
    #[error("{0}")]
    Tls(String),
    #[error("the request for the registry's challenge (GET /v2/) failed: {0}")]
    Probe(TransportError),
    #[error("the request for the registry's challenge (GET /v2/) was answered with {status}")]
    ProbeStatus { status: StatusCode, retry_after: Option<Duration> },
    /// The registry refused the same request in the last 5 s; the message is the one of that refusal.
    #[error("{0}")]
    RecentlyDenied(String),
    /// The failure of an anonymous attempt after the configured credential was rejected.
    #[error(
        "{error}; the request was anonymous, because the credential from {source_name} had been rejected before; replace it"
    )]
    AnonymousFallback { error: Arc<AuthError>, source_name: Box<str> },
    /// The outcome of a fetch that several requests waited for.
    #[error("{0}")]
    Shared(Arc<AuthError>),
}

impl AuthError {
    /// Takes an error out of the token cache, which shares it with every request that waited for it.
    pub(super) fn from_shared(error: Arc<Self>) -> Self {
        Arc::try_unwrap(error).unwrap_or_else(Self::Shared)
    }

    /// The original error, without the wrappers around it.
    pub fn inner(&self) -> &Self {
        match self {
            Self::Shared(error) | Self::AnonymousFallback { error, .. } => error.inner(),
            error => error,
        }
    }

    /// Whether the token service refused the request, instead of being busy, broken or missing.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::TokenRefused { .. })
    }

    /// Whether the token service refused the credential itself (401), whatever the scopes.
    pub fn is_credential_refusal(&self) -> bool {
        matches!(self, Self::TokenRefused { status: StatusCode::UNAUTHORIZED, .. })
    }

    /// Whether the token service refused with another status than 401, so that the reason may be the scopes.
    pub fn is_scope_refusal(&self) -> bool {
        self.is_refusal() && !self.is_credential_refusal()
    }

    /// Whether the answer, or that there was none, suggests that no token service is at the realm.
    pub fn is_no_token_service(&self) -> bool {
        match self {
            Self::TokenStatus { status, .. } => !status.is_server_error(),
            Self::TokenResponse { .. } => true,
            _ => self.is_realm_gone(),
        }
    }

    /// Whether the realm no longer seems to be a token service, so that the registry's challenge is worth another look.
    pub fn is_realm_gone(&self) -> bool {
        match self {
            Self::TokenTransport { why, .. } => why.is_outage(),
            Self::TokenStatus { status, .. } => *status == StatusCode::NOT_FOUND || *status == StatusCode::GONE,
            _ => false,
        }
    }
}

impl From<FetchAborted> for AuthError {
    fn from(_: FetchAborted) -> Self {
        Self::FetchAborted
    }
}

impl FetchError for AuthError {
    fn negative_ttl(&self) -> Option<Duration> {
        (self.is_refusal() || matches!(self, Self::UnknownNamespace { .. })).then_some(REFUSAL_MEMORY)
    }

    fn min_renewal_delay(&self) -> Option<Duration> {
        match self {
            Self::TokenBusy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn after_colon(message: Option<&str>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

/// How long a refusal by the registry or its token service is remembered before the same request is sent again.
pub const REFUSAL_MEMORY: Duration = Duration::from_secs(5);

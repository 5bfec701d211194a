//! The authorization of one request: what goes into its `Authorization` header.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::base::lease::Lease;
use crate::base::origin::Url;
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::credential::{Credential, CredentialId, ResolvedCredential};
use crate::oci::access_claim::AccessClaim;
use crate::oci::scope::ScopeSet;
use crate::upstream::UpstreamId;

/// The authorization of one request, and where it came from.
#[derive(Debug)]
pub struct Grant {
    pub(super) authorization: Authorization,
    /// The credential that the authorization is based on.
    pub(super) resolved: ResolvedCredential,
    /// The source of the credential that was rejected before, if this grant replaces it with an anonymous one.
    pub fell_back_from: Option<Box<str>>,
    /// Whether the registry refused a shared token before, so that this is the repository's own.
    pub(super) replaces_shared: bool,
}

#[derive(Debug)]
pub(super) enum Authorization {
    /// No header: the registry wants none, its scheme is not known yet, or there is no credential to send.
    None,
    /// The credential itself, in a Basic or Bearer header.
    Direct(HeaderValue),
    Token {
        lease: Arc<Lease<Token>>,
        group: TokenGroup,
        /// The scopes that the token was requested for.
        requested: ScopeSet,
        /// Whether this request waited for the token to be fetched, instead of finding it in the cache.
        is_fresh: bool,
        /// Whether the token was requested for another repository, so that its refusal is not final.
        is_shared: bool,
    },
}

/// A token in the form in which it is sent, and what is known about it.
#[derive(Debug)]
pub struct Token {
    pub header: HeaderValue,
    /// Built once, because each response is searched for it.
    redaction: Arc<Redaction>,
    /// What the token grants; `None` unless it is a JWT that says so.
    pub access: Option<AccessClaim>,
    /// The [`ResolvedCredential::identity`] that the token was issued to.
    pub identity: Box<str>,
    uses: AtomicU64,
    /// Whether a request's record already counts the fetch of this token.
    is_fetch_claimed: AtomicBool,
}

/// The cache key shared by tokens that can serve each other's requests if their scopes suffice: those for the same
/// upstream, credential and token service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenGroup {
    pub(super) upstream: UpstreamId,
    pub(super) credential: CredentialId,
    realm: Box<str>,
    service: Option<Box<str>>,
}

impl Grant {
    pub(super) fn new(authorization: Authorization, resolved: ResolvedCredential) -> Self {
        Self { authorization, resolved, fell_back_from: None, replaces_shared: false }
    }

    /// No authorization, possibly after a credential was rejected.
    pub(super) fn none(fell_back_from: Option<Box<str>>) -> Self {
        Self { fell_back_from, ..Self::new(Authorization::None, ResolvedCredential::anonymous()) }
    }

    /// The credential itself, without a token. No authorization for [`Credential::Anonymous`].
    pub(super) fn direct(resolved: ResolvedCredential) -> Self {
        let header = match &resolved.credential {
            Credential::Bearer { token } => bearer_header(token),
            other => basic_header(other),
        };
        Self::new(header.map_or(Authorization::None, Authorization::Direct), resolved)
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self.authorization, Authorization::None)
    }

    /// Whether the authorization is a token that was requested for another repository.
    pub fn is_shared_token(&self) -> bool {
        matches!(self.authorization, Authorization::Token { is_shared: true, .. })
    }

    pub fn header(&self) -> Option<&HeaderValue> {
        match &self.authorization {
            Authorization::None => None,
            Authorization::Direct(header) => Some(header),
            Authorization::Token { lease, .. } => Some(&lease.value.header),
        }
    }

    /// What a response must not repeat: the authorization in any encoding.
    pub fn redaction(&self) -> Arc<Redaction> {
        match &self.authorization {
            Authorization::None => Arc::default(),
            Authorization::Direct(header) => Arc::new(Redaction::of_header(header)),
            Authorization::Token { lease, .. } => lease.value.redaction.clone(),
        }
    }

    /// How the request was authorized, in the words of the `Server-Timing` header and the log.
    pub fn describe(&self) -> &'static str {
        match (&self.authorization, &self.fell_back_from) {
            (Authorization::None, None) => "none",
            (Authorization::None, Some(_)) => "login rejected, none",
            (Authorization::Direct(_), _) => "direct",
            (Authorization::Token { .. }, Some(_)) => "login rejected, anonymous",
            (Authorization::Token { is_fresh: true, .. }, None) => "fetched",
            (Authorization::Token { is_fresh: false, .. }, None) => "cached",
        }
    }

    /// Whether this request's record counts the token fetch. Of the requests that waited for the same fetch only the
    /// first caller gets `true`.
    pub fn claim_fetch(&self) -> bool {
        match &self.authorization {
            Authorization::Token { lease, is_fresh: true, .. } => {
                !lease.value.is_fetch_claimed.swap(true, Ordering::Relaxed)
            }
            _ => false,
        }
    }

    /// As [`ResolvedCredential::source`].
    pub fn source(&self) -> &str {
        &self.resolved.source
    }

    /// The identity under which the registry sees the request: the source of the credential, or `anonymous`.
    pub fn identity(&self) -> &str {
        self.resolved.identity()
    }

    /// As [`ResolvedCredential::absence`].
    pub fn absence(&self) -> Option<&str> {
        self.resolved.absence()
    }

    pub fn credential_id(&self) -> CredentialId {
        self.resolved.id
    }
}

impl Token {
    pub fn new(header: HeaderValue, access: Option<AccessClaim>, identity: &str) -> Self {
        let (uses, is_fetch_claimed) = (AtomicU64::new(0), AtomicBool::new(false));
        let redaction = Arc::new(Redaction::of_header(&header));
        Self { header, redaction, access, identity: identity.into(), uses, is_fetch_claimed }
    }

    pub(super) fn count_use(&self) {
        self.uses.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of requests that used the token.
    pub fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }
}

impl TokenGroup {
    pub(super) fn new(upstream: UpstreamId, credential: CredentialId, realm: &Url, service: Option<Box<str>>) -> Self {
        Self { upstream, credential, realm: format!("{}{}", realm.origin, realm.target()).into(), service }
    }

    /// The token service's URL without its query.
    pub(super) fn realm_without_query(&self) -> &str {
        self.realm.split('?').next().unwrap_or_default()
    }
}

/// The `Basic` header of a password or an identity token; the latter under docker's conventional user name. `None` for
/// other credentials.
pub(super) fn basic_header(credential: &Credential) -> Option<HeaderValue> {
    let (user, secret) = match credential {
        Credential::Password { username, password } => (&**username, password),
        Credential::Identity { username, token } => (username.as_deref().unwrap_or("<token>"), token),
        Credential::Anonymous | Credential::Bearer { .. } => return None,
    };
    let pair = Secret::new(STANDARD.encode(Secret::new(format!("{user}:{}", secret.expose())).expose()));
    sensitive_header("Basic", &pair)
}

/// The `Bearer` header of a token. `None` if the token has characters that no header can carry.
pub(super) fn bearer_header(token: &Secret) -> Option<HeaderValue> {
    sensitive_header("Bearer", token)
}

fn sensitive_header(scheme: &str, secret: &Secret) -> Option<HeaderValue> {
    let line = Secret::new(format!("{scheme} {}", secret.expose()));
    let mut value = HeaderValue::from_str(line.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

//! What goes into `Authorization` for one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::base::lease::Lease;
use crate::base::secret::Secret;
use crate::credential::{Credential, CredentialId, Found};
use crate::oci::scope::ScopeSet;

/// A token, ready to be sent.
#[derive(Debug)]
pub struct Token {
    pub header: HeaderValue,
    /// What it says it grants, when it says so.
    pub granted: Option<ScopeSet>,
    /// Who it was had as: [`Found::identity`].
    pub identity: Box<str>,
    used: AtomicU64,
    is_counted: AtomicBool,
}

impl Token {
    pub fn new(header: HeaderValue, granted: Option<ScopeSet>, identity: &str) -> Self {
        Self { header, granted, identity: identity.into(), used: AtomicU64::new(0), is_counted: AtomicBool::new(false) }
    }

    /// Another request has it.
    pub(super) fn note_use(&self) {
        self.used.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests had it.
    pub fn uses(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// The authorization of one request, and how it came about.
#[derive(Debug)]
pub struct Grant {
    pub(super) how: How,
    /// The credential behind it.
    pub(super) found: Found,
    /// Where the login came from that the registry refused before, when this grant goes on without it.
    pub fell_back_from: Option<Box<str>>,
}

#[derive(Debug)]
pub(super) enum How {
    /// No header: nothing is demanded, or there is nothing to offer.
    Nothing,
    /// The credential itself.
    Direct(HeaderValue),
    Token {
        lease: Arc<Lease<Token>>,
        group: super::tokens::TokenGroup,
        asked: ScopeSet,
        fresh: bool,
    },
}

impl Grant {
    pub(super) fn nothing(fell_back_from: Option<Box<str>>) -> Self {
        Self { how: How::Nothing, found: Found::anonymous(), fell_back_from }
    }

    pub fn header(&self) -> Option<&HeaderValue> {
        match &self.how {
            How::Nothing => None,
            How::Direct(header) => Some(header),
            How::Token { lease, .. } => Some(&lease.value.header),
        }
    }

    /// For the `Server-Timing` header and the log: how the authorization was had.
    pub fn describe(&self) -> &'static str {
        match (&self.how, &self.fell_back_from) {
            (How::Nothing, None) => "none",
            (How::Nothing, Some(_)) => "login rejected, none",
            (How::Direct(_), _) => "direct",
            (How::Token { .. }, Some(_)) => "login rejected, anonymous",
            (How::Token { fresh: true, .. }, None) => "fetched",
            (How::Token { fresh: false, .. }, None) => "cached",
        }
    }

    /// Whether a token was fetched for it. Many may wait for one: only the first of them says yes, and says it once.
    pub fn counts_as_fetch(&self) -> bool {
        match &self.how {
            How::Token { lease, fresh: true, .. } => !lease.value.is_counted.swap(true, Ordering::Relaxed),
            _ => false,
        }
    }

    /// Where the credential behind it comes from.
    pub fn source(&self) -> &str {
        &self.found.source
    }

    /// Who the registry takes the request for: where the login comes from, or `anonymous`.
    pub fn identity(&self) -> &str {
        self.found.identity()
    }

    pub fn credential_id(&self) -> CredentialId {
        self.found.id
    }
}

/// `Basic` for a password; an identity token goes under docker's conventional user name.
pub(super) fn basic(credential: &Credential) -> Option<HeaderValue> {
    let (user, secret) = match credential {
        Credential::Password { username, password } => (&**username, password),
        Credential::Identity { username, token } => (username.as_deref().unwrap_or("<token>"), token),
        Credential::Anonymous | Credential::Bearer { .. } => return None,
    };
    let pair = Secret::new(STANDARD.encode(Secret::new(format!("{user}:{}", secret.expose())).expose()));
    sensitive("Basic", &pair)
}

pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive("Bearer", token)
}

fn sensitive(scheme: &str, secret: &Secret) -> Option<HeaderValue> {
    let line = Secret::new(format!("{scheme} {}", secret.expose()));
    let mut value = HeaderValue::from_str(line.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

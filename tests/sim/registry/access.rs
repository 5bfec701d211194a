//! Access control: authenticates the caller of a request, and checks whether the caller may send it.

use std::sync::Arc;

use http::header;
use tokio::time::Instant;

use super::super::basic_auth;
use super::super::call::Call;
use super::super::ledger::Entry;
use super::super::reply::Reply;
use super::super::route::Route;
use super::super::rules::Rule;
use super::scope::Scope;
use super::token::{IssuedToken, TokenAccess};
use super::{Engine, Preset};

/// The sender of a request, after authentication.
#[derive(Clone, Debug)]
pub enum Caller {
    Anonymous,
    User(String),
    Token(Arc<IssuedToken>),
}

impl Caller {
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(user),
            Self::Token(issued) => issued.user.as_deref(),
        }
    }
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialReason {
    NoCredential,
    /// Basic at a registry that accepts only tokens.
    BasicNotAccepted,
    /// Also for an unknown user, and for one that may not use Basic.
    WrongPassword,
    /// A correct password that has expired.
    ExpiredPassword,
    /// Never issued, or revoked.
    UnknownToken,
    ExpiredToken,
    InsufficientScope,
}

/// An API request, as the hooks of a preset see it.
pub struct ApiRequest<'a> {
    pub registry: &'a Engine,
    pub preset: &'a Preset,
    pub entry: &'a Entry,
    pub route: &'a Route,
    pub caller: &'a Result<Caller, DenialReason>,
}

/// A denied request, as the hook that writes the reply sees it.
pub struct Denial<'a> {
    pub request: &'a ApiRequest<'a>,
    pub reason: DenialReason,
    /// The scopes that the operation requires, the most important first.
    pub required: Vec<Scope>,
    pub realm: String,
    pub service: String,
}

impl Denial<'_> {
    /// The required scopes, separated by spaces; `None` if there are none.
    pub fn scope(&self) -> Option<String> {
        let scopes: Vec<String> = self.required.iter().map(ToString::to_string).collect();
        (!scopes.is_empty()).then(|| scopes.join(" "))
    }

    /// Whether the request had any Authorization header.
    pub fn had_authorization(&self) -> bool {
        self.request.entry.headers.contains_key(header::AUTHORIZATION)
    }

    /// The request's `Host`, from which some registries build URLs.
    pub fn host(&self) -> &str {
        self.request.entry.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    /// `Bearer realm="…",service="…"[,scope="…"][,error="…"]`, as CNCF Distribution writes it.
    pub fn bearer_challenge(&self, scope: Option<&str>) -> String {
        let error = match self.reason {
            DenialReason::InsufficientScope => Some("insufficient_scope"),
            DenialReason::UnknownToken | DenialReason::ExpiredToken => Some("invalid_token"),
            DenialReason::NoCredential
            | DenialReason::BasicNotAccepted
            | DenialReason::WrongPassword
            | DenialReason::ExpiredPassword => None,
        };
        let mut challenge = self.bearer_challenge_without_error(scope);
        challenge.extend(error.map(|error| format!(r#",error="{error}""#)));
        challenge
    }

    /// `Bearer realm="…",service="…"[,scope="…"]`
    pub fn bearer_challenge_without_error(&self, scope: Option<&str>) -> String {
        let mut challenge = format!(r#"Bearer realm="{}",service="{}""#, self.realm, self.service);
        challenge.extend(scope.map(|scope| format!(r#",scope="{scope}""#)));
        challenge
    }
}

impl Engine {
    /// Authenticates a request by its Authorization header.
    pub(super) fn authenticate(&self, preset: &Preset, call: &Call) -> Result<Caller, DenialReason> {
        if let Some((user, password)) = basic_auth::credential(&call.entry.headers) {
            if !preset.access.accepts_basic {
                call.report_violation(Rule::BasicAtRegistry);
                return Err(DenialReason::BasicNotAccepted);
            }
            if !(preset.access.accepts_basic_from)(&user) || !self.users.has_password(&user, &password) {
                return Err(DenialReason::WrongPassword);
            }
            let age = self.users.password_age(&user);
            let expired =
                preset.access.password_lifetime.is_some_and(|lifetime| age.is_some_and(|age| age >= lifetime));
            return if expired { Err(DenialReason::ExpiredPassword) } else { Ok(Caller::User(user)) };
        }
        let Some((_, token)) = call.header("authorization").and_then(|value| value.split_once(' ')) else {
            return Ok(Caller::Anonymous);
        };
        if self.world.tokens.issuer(token).is_some_and(|issuer| issuer != self.origins().registry) {
            call.report_violation(Rule::ForeignBearer);
        }
        self.authenticate_bearer(preset, token)
    }

    fn authenticate_bearer(&self, preset: &Preset, token: &str) -> Result<Caller, DenialReason> {
        match self.tokens.find(token) {
            Some(issued) if issued.expires <= Instant::now() => Err(DenialReason::ExpiredToken),
            Some(issued) => Ok(Caller::Token(issued)),
            None => {
                let password = (preset.access.password_from_bearer)(token);
                let user = password.and_then(|password| self.users.with_password(&password));
                user.map(Caller::User).ok_or(DenialReason::UnknownToken)
            }
        }
    }

    /// Checks that the caller may send this request; `Err` is the reply if not.
    pub(super) fn authorize(&self, request: &ApiRequest<'_>) -> Result<(), Reply> {
        let preset = request.preset;
        let required = (preset.access.required_scopes)(request);
        let reason = match request.caller {
            Err(reason) => *reason,
            Ok(Caller::Anonymous) if preset.access.open_to_all => return Ok(()),
            Ok(caller @ Caller::Anonymous)
                if preset.access.public_reads_open
                    && !required.is_empty()
                    && required.iter().all(|scope| self.has_access(preset, caller, scope)) =>
            {
                return Ok(());
            }
            Ok(Caller::Anonymous) => DenialReason::NoCredential,
            Ok(caller) if required.iter().all(|scope| self.has_access(preset, caller, scope)) => return Ok(()),
            Ok(_) => DenialReason::InsufficientScope,
        };
        Err(self.denial_reply(request, reason, required))
    }

    /// The registry's reply to a denied request for which these scopes are required.
    pub fn denial_reply(&self, request: &ApiRequest<'_>, reason: DenialReason, required: Vec<Scope>) -> Reply {
        let (realm, service) = (self.realm(request.preset), self.service(request.preset));
        (request.preset.access.reject)(&Denial { request, reason, required, realm, service })
    }

    /// The realm of the challenges.
    pub fn realm(&self, preset: &Preset) -> String {
        preset.tokens.realm.clone().unwrap_or_else(|| format!("{}{}", self.origins().token, preset.tokens.path))
    }

    /// The service of the challenges.
    pub fn service(&self, preset: &Preset) -> String {
        preset.tokens.service.clone().unwrap_or_else(|| self.origins().registry_authority().to_owned())
    }

    /// Whether the caller may do everything that the scope names.
    pub(super) fn has_access(&self, preset: &Preset, caller: &Caller, scope: &Scope) -> bool {
        if let Caller::Token(issued) = caller
            && let TokenAccess::Scopes(granted) = &issued.access
        {
            return granted.iter().any(|granted| granted.covers(scope));
        }
        preset.policy.permitted_part(&self.store, caller.user(), scope).covers(scope)
    }
}

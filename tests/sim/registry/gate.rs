//! Who calls, and whether the operation is theirs.

use std::sync::Arc;

use http::header;
use tokio::time::Instant;

use super::super::call::Call;
use super::super::ledger::Entry;
use super::super::reply::Reply;
use super::super::rules::Rule;
use super::super::world;
use super::route::Route;
use super::scope::Scope;
use super::token::{Access, Issued};
use super::{Engine, Preset};

/// Who a request turned out to be from.
#[derive(Clone, Debug)]
pub enum Caller {
    Anonymous,
    User(String),
    Token(Arc<Issued>),
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    NoCredential,
    /// A Basic header where only tokens count.
    BasicRefused,
    WrongPassword,
    /// The right password, after its time.
    StalePassword,
    UnknownToken,
    /// Expired or revoked.
    StaleToken,
    InsufficientScope,
}

/// One API request, as hooks of a preset see it.
pub struct Ask<'a> {
    pub registry: &'a Engine,
    pub preset: &'a Preset,
    pub entry: &'a Entry,
    pub route: &'a Route,
    pub caller: &'a Result<Caller, Why>,
}

/// A refused request.
pub struct Denial<'a> {
    pub ask: &'a Ask<'a>,
    pub why: Why,
    /// What the operation needs, most important scope first.
    pub needs: Vec<Scope>,
    pub realm: String,
    pub service: String,
}

impl Denial<'_> {
    /// The needed scopes, separated by blanks; `None` without any.
    pub fn scope(&self) -> Option<String> {
        let scopes: Vec<String> = self.needs.iter().map(ToString::to_string).collect();
        (!scopes.is_empty()).then(|| scopes.join(" "))
    }

    /// Whether the request brought any Authorization.
    pub fn authorized(&self) -> bool {
        self.ask.entry.headers.contains_key(header::AUTHORIZATION)
    }

    /// The request's `Host`, of which some registries make addresses.
    pub fn host(&self) -> &str {
        self.ask.entry.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    /// `Bearer realm="…",service="…"[,scope="…"][,error="…"]`, as CNCF Distribution writes it.
    pub fn bearer(&self, scope: Option<&str>) -> String {
        let error = match self.why {
            Why::InsufficientScope => Some("insufficient_scope"),
            Why::UnknownToken | Why::StaleToken => Some("invalid_token"),
            Why::NoCredential | Why::BasicRefused | Why::WrongPassword | Why::StalePassword => None,
        };
        let mut challenge = format!(r#"Bearer realm="{}",service="{}""#, self.realm, self.service);
        for (name, value) in [("scope", scope), ("error", error)] {
            challenge.extend(value.map(|value| format!(r#",{name}="{value}""#)));
        }
        challenge
    }
}

impl Engine {
    pub(super) fn identify(&self, preset: &Preset, call: &Call) -> Result<Caller, Why> {
        if let Some(credential) = world::basic(&call.entry.headers) {
            if !preset.gate.basic {
                call.broken(Rule::BasicAtRegistry);
                return Err(Why::BasicRefused);
            }
            let (user, password) = credential.split_once(':').unwrap_or((&credential, ""));
            if !(preset.gate.basic_for)(user) || !self.users.has_password(user, password) {
                return Err(Why::WrongPassword);
            }
            let age = self.users.password_age(user);
            let stale = preset.gate.password_lifetime.is_some_and(|lifetime| age.is_some_and(|age| age >= lifetime));
            return if stale { Err(Why::StalePassword) } else { Ok(Caller::User(user.to_owned())) };
        }
        let Some((_, token)) = call.header("authorization").and_then(|value| value.split_once(' ')) else {
            return Ok(Caller::Anonymous);
        };
        if self.world.tokens.issuer(token).is_some_and(|issuer| issuer != self.origins().registry) {
            call.broken(Rule::ForeignBearer);
        }
        self.bearer(preset, token)
    }

    fn bearer(&self, preset: &Preset, token: &str) -> Result<Caller, Why> {
        match self.tokens.find(token) {
            Some(issued) if issued.expires <= Instant::now() => Err(Why::StaleToken),
            Some(issued) => Ok(Caller::Token(issued)),
            None => {
                let password = (preset.gate.password_in_bearer)(token);
                let user = password.and_then(|password| self.users.with_password(&password));
                user.map(Caller::User).ok_or(Why::UnknownToken)
            }
        }
    }

    /// `Err` holds the refusal.
    pub(super) fn admit(&self, ask: &Ask<'_>) -> Result<(), Reply> {
        let preset = ask.preset;
        let needs = (preset.gate.scopes)(ask);
        let why = match ask.caller {
            Err(why) => *why,
            Ok(Caller::Anonymous) if preset.gate.open => return Ok(()),
            Ok(caller @ Caller::Anonymous)
                if preset.gate.open_to_public
                    && !needs.is_empty()
                    && needs.iter().all(|scope| self.holds(preset, caller, scope)) =>
            {
                return Ok(());
            }
            Ok(Caller::Anonymous) => Why::NoCredential,
            Ok(caller) if needs.iter().all(|scope| self.holds(preset, caller, scope)) => return Ok(()),
            Ok(_) => Why::InsufficientScope,
        };
        Err(self.refusal(ask, why, needs))
    }

    /// The refusal in the registry's manner, for an operation with these needs.
    pub fn refusal(&self, ask: &Ask<'_>, why: Why, needs: Vec<Scope>) -> Reply {
        let (realm, service) = (self.realm(ask.preset), self.service(ask.preset));
        (ask.preset.gate.refuse)(&Denial { ask, why, needs, realm, service })
    }

    pub fn realm(&self, preset: &Preset) -> String {
        preset.tokens.realm.clone().unwrap_or_else(|| format!("{}{}", self.origins().token, preset.tokens.path))
    }

    pub fn service(&self, preset: &Preset) -> String {
        preset.tokens.service.clone().unwrap_or_else(|| self.origins().registry_authority().to_owned())
    }

    pub(super) fn holds(&self, preset: &Preset, caller: &Caller, scope: &Scope) -> bool {
        if let Caller::Token(issued) = caller
            && let Access::Scopes(granted) = &issued.access
        {
            return granted.iter().any(|granted| granted.covers(scope));
        }
        preset.policy.reduce(&self.store, caller.user(), scope).covers(scope)
    }
}

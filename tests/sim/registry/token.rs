//! The token service: who asks, what is granted, and what the reply says about it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::call::Call;
use super::super::ledger::{AuthSeen, Entry};
use super::super::preset::{Mint, TokenField};
use super::super::reply::Reply;
use super::super::rules::Rule;
use super::super::{lock, query, world};
use super::scope::Scope;
use super::{Engine, Preset, Series};

#[derive(Debug)]
pub struct Issued {
    pub user: Option<String>,
    pub access: Access,
    pub expires: Instant,
}

#[derive(Clone, Debug)]
pub enum Access {
    Scopes(Vec<Scope>),
    /// The token is the login itself: it may what its user may.
    AllOfUser,
}

#[derive(Default)]
pub(super) struct TokenBook(Mutex<HashMap<String, Arc<Issued>>>);

impl TokenBook {
    pub(super) fn find(&self, token: &str) -> Option<Arc<Issued>> {
        lock(&self.0).get(token).cloned()
    }

    pub(super) fn revoke_all(&self) {
        lock(&self.0).clear();
    }
}

/// One call of the token service, as hooks of a preset see it.
pub struct TokenAsk<'a> {
    pub registry: &'a Engine,
    pub preset: &'a Preset,
    pub entry: &'a Entry,
    pub user: Option<String>,
    /// As they were sent; see [`TokenAsk::reduced`].
    pub scopes: Vec<String>,
}

impl TokenAsk<'_> {
    /// The wanted scopes with only the actions the user may do; without those that lose all.
    pub fn reduced(&self) -> Vec<Scope> {
        let reduce = |scope: &Scope| self.preset.policy.reduce(&self.registry.store, self.user.as_deref(), scope);
        let wanted = self.scopes.iter().filter_map(|text| Scope::parse(text));
        wanted.map(|scope| reduce(&scope)).filter(|scope| !scope.actions.is_empty()).collect()
    }
}

impl Engine {
    pub(super) async fn answer_token(&self, preset: &Preset, mut call: Call) -> Reply {
        let parameters = match call.entry.method {
            Method::GET | Method::HEAD => call.entry.query.clone(),
            Method::POST => match read_form(preset, &mut call).await {
                Ok(form) => form,
                Err(refusal) => return refusal,
            },
            _ => return Reply::error(405, "UNSUPPORTED", "The operation is unsupported."),
        };
        if query::value(&parameters, "service").is_some_and(|service| service != self.service(preset)) {
            call.broken(Rule::ForeignService);
        }
        let user = match self.login(preset, &mut call, &parameters) {
            Ok(user) => user,
            Err(refusal) => return refusal,
        };
        let wanted = query::values(&parameters, "scope").join(" ");
        let scopes = wanted.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        let ask = TokenAsk { registry: self, preset, entry: &call.entry, user, scopes };
        match (preset.tokens.grant)(&ask) {
            Ok(granted) => self.issue(&ask, granted, wants_refresh_token(&parameters)),
            Err(refusal) => refusal,
        }
    }

    fn login(&self, preset: &Preset, call: &mut Call, parameters: &str) -> Result<Option<String>, Reply> {
        if let Some(credential) = world::basic(&call.entry.headers) {
            let (user, password) = credential.split_once(':').unwrap_or((&credential, ""));
            return self.checked(preset, user, password);
        }
        match query::value(parameters, "grant_type").as_deref() {
            Some("password") => {
                if let Some(refusal) = &preset.tokens.password_refused {
                    return Err(refusal.clone());
                }
                let [user, password] =
                    ["username", "password"].map(|key| query::value(parameters, key).unwrap_or_default());
                call.amend(|entry| entry.authorization = AuthSeen::Password { user: user.clone() });
                self.checked(preset, &user, &password)
            }
            Some("refresh_token") => {
                call.amend(|entry| entry.authorization = AuthSeen::Identity);
                let token = query::value(parameters, "refresh_token").unwrap_or_default();
                self.users.identity(&token).map(Some).ok_or_else(|| preset.tokens.wrong_login.clone())
            }
            Some(_) => Err(Reply::new(400).json(r#"{"error":"unsupported_grant_type"}"#)),
            None => Ok(None),
        }
    }

    fn checked(&self, preset: &Preset, user: &str, password: &str) -> Result<Option<String>, Reply> {
        let known = self.users.has_password(user, password);
        if known { Ok(Some(user.to_owned())) } else { Err(preset.tokens.wrong_login.clone()) }
    }

    fn issue(&self, ask: &TokenAsk<'_>, granted: Vec<Scope>, wants_refresh_token: bool) -> Reply {
        let tokens = &ask.preset.tokens;
        let token = self.mint(ask, &granted);
        if tokens.push_creates {
            self.create_for_push(&granted);
        }
        let echoed = tokens.mint == Mint::Ghcr && ask.user.is_some();
        let unbound = echoed || matches!(tokens.mint, Mint::Unbound | Mint::JwtOfUser);
        let access = if unbound { Access::AllOfUser } else { Access::Scopes(granted) };
        let issued = Issued { user: ask.user.clone(), access, expires: Instant::now() + tokens.lifetime };
        lock(&self.tokens.0).insert(token.clone(), Arc::new(issued));
        self.world.tokens.issued(&token, &self.origins().registry);

        let mut members: Vec<(&str, Value)> = Vec::new();
        for field in &tokens.fields {
            members.push(match field {
                TokenField::Full(name) => (name, Value::from(token.clone())),
                TokenField::Empty(name) => (name, Value::from("")),
            });
        }
        members.extend(tokens.expires_in.map(|seconds| ("expires_in", Value::from(seconds))));
        members.extend(tokens.issued_at.then(|| ("issued_at", Value::from(self.world.clock.rfc3339()))));
        if let (true, true, Some(user)) = (tokens.refresh, wants_refresh_token, &ask.user) {
            let identity = format!("identity-{user}-{}", self.next_number(Series::Tokens));
            self.users.add_identity(user, &identity);
            members.push(("refresh_token", Value::from(identity)));
        }
        let members: Vec<String> = members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        let reply = Reply::new(200).json(format_args!("{{{}}}", members.join(",")));
        if tokens.chunked { reply.chunked() } else { reply }
    }

    /// Quay does so; whoever only wanted to pull has made a repository.
    fn create_for_push(&self, granted: &[Scope]) {
        let pushes = |scope: &&Scope| scope.actions.iter().any(|action| action == "push");
        for scope in granted.iter().filter(pushes).filter(|scope| !self.store.exists(&scope.name)) {
            self.store.write(&scope.name, |_| ());
            lock(&self.made_by_asking).insert(scope.name.clone());
        }
    }

    fn mint(&self, ask: &TokenAsk<'_>, granted: &[Scope]) -> String {
        match ask.preset.tokens.mint {
            Mint::Jwt => self.jwt(ask, granted),
            Mint::JwtOfUser => self.jwt(ask, &[]),
            Mint::Opaque | Mint::Unbound => {
                let end = self.world.clock.unix() + ask.preset.tokens.lifetime.as_secs();
                (ask.preset.tokens.opaque)(self.next_number(Series::Tokens), end)
            }
            Mint::Ghcr => {
                BASE64_STANDARD.encode(match ask.user.as_deref().and_then(|user| self.users.password(user)) {
                    Some(password) => password,
                    // 52 characters for toddysm/python, as in the transcript.
                    None => format!("v1:{}:{}", granted[0].name, self.world.clock.since_1970().as_nanos()),
                })
            }
        }
    }

    /// Header and claims are real; the signature is not, since no client checks it.
    fn jwt(&self, ask: &TokenAsk<'_>, granted: &[Scope]) -> String {
        let tokens = &ask.preset.tokens;
        let now = self.world.clock.unix();
        let number = self.next_number(Series::Tokens);
        let mut claims = json!({
            "access": granted.iter().map(|scope| access_claim(tokens.access_parameters, scope)).collect::<Vec<_>>(),
            "aud": self.service(ask.preset),
            "exp": now + tokens.jwt_lifetime.unwrap_or(tokens.lifetime).as_secs(),
            "iat": now,
            "iss": tokens.issuer,
            "jti": format!("dckr_jti_{number:020}="),
            "nbf": now - 300,
            "sub": ask.user.as_deref().unwrap_or_default(),
        });
        if let (Mint::JwtOfUser, Some(claims)) = (tokens.mint, claims.as_object_mut()) {
            claims.remove("access");
        }
        if let Some(change) = &tokens.claims {
            change(&mut claims);
        }
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "simulator" });
        let encode = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
        format!("{}.{}.{}", encode(&header.to_string()), encode(&claims.to_string()), encode("not a signature"))
    }
}

fn access_claim(parameters: &[(&str, &str)], scope: &Scope) -> Value {
    let mut claim = json!({ "type": scope.kind, "name": scope.name, "actions": scope.actions });
    if !parameters.is_empty() {
        claim["parameters"] = parameters.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    }
    claim
}

async fn read_form(preset: &Preset, call: &mut Call) -> Result<String, Reply> {
    if let Some(refusal) = &preset.tokens.post_refused {
        return Err(refusal.clone());
    }
    let is_form = call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form = String::from_utf8_lossy(&call.read().await).into_owned();
    call.amend(|entry| entry.query.clone_from(&form));
    if super::super::rules::has_empty_parameter(&call.entry) {
        call.broken(Rule::EmptyTokenParameter);
    }
    // Required by the specification (distribution docs/content/spec/auth/oauth.md).
    let complete = ["grant_type", "service", "client_id"].iter().all(|key| query::value(&form, key).is_some());
    if is_form && complete { Ok(form) } else { Err(Reply::new(400).json(r#"{"error":"invalid_request"}"#)) }
}

fn wants_refresh_token(parameters: &str) -> bool {
    query::value(parameters, "offline_token").as_deref() == Some("true")
        || query::value(parameters, "access_type").as_deref() == Some("offline")
}

/// Long enough that no test outlives it.
pub(in super::super) const FOREVER: Duration = Duration::from_secs(365 * 86_400);

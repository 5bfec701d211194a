//! The token service: authenticates, grants, issues a token and writes the reply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::call::Call;
use super::super::ledger::{Entry, RequestAuth};
use super::super::preset::{TokenField, TokenFormat};
use super::super::reply::Reply;
use super::super::rules::Rule;
use super::super::{basic_auth, lock, query};
use super::scope::Scope;
use super::{Counter, Engine, Preset};

/// A token that was issued and not revoked: valid until `expires`.
#[derive(Debug)]
pub struct IssuedToken {
    pub user: Option<String>,
    pub access: TokenAccess,
    pub expires: Instant,
}

/// What a token grants.
#[derive(Clone, Debug)]
pub enum TokenAccess {
    Scopes(Vec<Scope>),
    /// Everything that the user of the token may do.
    AllOfUser,
}

/// The tokens of one registry.
#[derive(Default)]
pub(super) struct TokenStore(Mutex<HashMap<String, Arc<IssuedToken>>>);

impl TokenStore {
    pub(super) fn find(&self, token: &str) -> Option<Arc<IssuedToken>> {
        lock(&self.0).get(token).cloned()
    }

    pub(super) fn revoke_all(&self) {
        lock(&self.0).clear();
    }
}

/// A token request, as the hooks of a preset see it.
pub struct TokenRequest<'a> {
    pub registry: &'a Engine,
    pub preset: &'a Preset,
    pub entry: &'a Entry,
    pub user: Option<String>,
    /// The requested scopes as sent; see [`TokenRequest::permitted_scopes`].
    pub scopes: Vec<String>,
}

impl TokenRequest<'_> {
    /// The requested scopes with only the actions that the user may do; scopes without any left are dropped.
    pub fn permitted_scopes(&self) -> Vec<Scope> {
        let permitted =
            |scope: &Scope| self.preset.policy.permitted_part(&self.registry.store, self.user.as_deref(), scope);
        let requested = self.scopes.iter().filter_map(|text| Scope::parse(text));
        requested.map(|scope| permitted(&scope)).filter(|scope| !scope.actions.is_empty()).collect()
    }
}

impl Engine {
    pub(super) async fn token_reply(&self, preset: &Preset, mut call: Call) -> Reply {
        let parameters = match call.entry.method {
            Method::GET | Method::HEAD => call.entry.query.clone(),
            Method::POST => match read_form(preset, &mut call).await {
                Ok(form) => form,
                Err(rejection) => return rejection,
            },
            _ => return Reply::unsupported(),
        };
        if query::value(&parameters, "service").is_some_and(|service| service != self.service(preset)) {
            call.report_violation(Rule::ForeignService);
        }
        let user = match self.authenticate_token_request(preset, &mut call, &parameters) {
            Ok(user) => user,
            Err(rejection) => return rejection,
        };
        let requested = query::values(&parameters, "scope").join(" ");
        let scopes = requested.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        let request = TokenRequest { registry: self, preset, entry: &call.entry, user, scopes };
        match (preset.tokens.grant)(&request) {
            Ok(granted) => self.issue(&request, granted, wants_refresh_token(&parameters)),
            Err(rejection) => rejection,
        }
    }

    /// The user of a token request, `None` for an anonymous one. `Err` is the reply to a bad credential or an unsupported
    /// grant.
    fn authenticate_token_request(
        &self,
        preset: &Preset,
        call: &mut Call,
        parameters: &str,
    ) -> Result<Option<String>, Reply> {
        if let Some((user, password)) = basic_auth::credential(&call.entry.headers) {
            return self.verify_password(preset, &user, &password);
        }
        match query::value(parameters, "grant_type").as_deref() {
            Some("password") => {
                if let Some(rejection) = &preset.tokens.password_grant_rejection {
                    return Err(rejection.clone());
                }
                let [user, password] =
                    ["username", "password"].map(|key| query::value(parameters, key).unwrap_or_default());
                call.amend(|entry| entry.authorization = RequestAuth::Password { user: user.clone() });
                self.verify_password(preset, &user, &password)
            }
            Some("refresh_token") => {
                call.amend(|entry| entry.authorization = RequestAuth::IdentityToken);
                let token = query::value(parameters, "refresh_token").unwrap_or_default();
                self.users
                    .identity_token_user(&token)
                    .map(Some)
                    .ok_or_else(|| preset.tokens.bad_credential_reply.clone())
            }
            Some(_) => Err(Reply::new(400).json(r#"{"error":"unsupported_grant_type"}"#)),
            None => Ok(None),
        }
    }

    fn verify_password(&self, preset: &Preset, user: &str, password: &str) -> Result<Option<String>, Reply> {
        let known = self.users.has_password(user, password);
        if known { Ok(Some(user.to_owned())) } else { Err(preset.tokens.bad_credential_reply.clone()) }
    }

    fn issue(&self, request: &TokenRequest<'_>, granted: Vec<Scope>, wants_refresh_token: bool) -> Reply {
        let tokens = &request.preset.tokens;
        let token = self.new_token(request, &granted);
        if tokens.push_creates_repository {
            self.create_for_push(&granted);
        }
        let is_for_user = matches!(tokens.format, TokenFormat::Ghcr | TokenFormat::UserOpaque | TokenFormat::UserJwt);
        let access = if is_for_user { TokenAccess::AllOfUser } else { TokenAccess::Scopes(granted) };
        let issued = IssuedToken { user: request.user.clone(), access, expires: Instant::now() + tokens.lifetime };
        lock(&self.tokens.0).insert(token.clone(), Arc::new(issued));
        self.world.tokens.record(&token, &self.origins().registry);

        let mut members: Vec<(&str, Value)> = Vec::new();
        for field in &tokens.reply_fields {
            members.push(match field {
                TokenField::Full(name) => (name, Value::from(token.clone())),
                TokenField::Empty(name) => (name, Value::from("")),
            });
        }
        members.extend(tokens.expires_in.map(|seconds| ("expires_in", Value::from(seconds))));
        members.extend(tokens.issued_at.then(|| ("issued_at", Value::from(self.world.clock.rfc3339()))));
        if let (true, true, Some(user)) = (tokens.issues_refresh_tokens, wants_refresh_token, &request.user) {
            let identity = format!("identity-{user}-{}", self.next_number(Counter::Tokens));
            self.users.add_identity_token(user, &identity);
            members.push(("refresh_token", Value::from(identity)));
        }
        let members: Vec<String> = members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        let reply = Reply::new(200).json(format_args!("{{{}}}", members.join(",")));
        if tokens.chunked { reply.chunked() } else { reply }
    }

    /// Creates the repositories of scopes with `push`, as Quay does, even if the client then only pulls.
    fn create_for_push(&self, granted: &[Scope]) {
        let pushes = |scope: &&Scope| scope.actions.iter().any(|action| action == "push");
        for scope in granted.iter().filter(pushes).filter(|scope| !self.store.exists(&scope.name)) {
            self.store.write(&scope.name, |_| ());
            lock(&self.created_by_token_request).insert(scope.name.clone());
        }
    }

    fn new_token(&self, request: &TokenRequest<'_>, granted: &[Scope]) -> String {
        match request.preset.tokens.format {
            TokenFormat::Jwt => self.jwt(request, granted),
            TokenFormat::UserJwt => self.jwt(request, &[]),
            TokenFormat::Opaque | TokenFormat::UserOpaque => {
                let expires = self.world.clock.unix() + request.preset.tokens.lifetime.as_secs();
                (request.preset.tokens.opaque_token)(self.next_number(Counter::Tokens), expires)
            }
            TokenFormat::Ghcr => {
                BASE64_STANDARD.encode(match request.user.as_deref().and_then(|user| self.users.password(user)) {
                    Some(password) => password,
                    // The token has 52 characters for toddysm/python, as in the transcript.
                    None => format!("v1:{}:{}", granted[0].name, self.world.clock.since_1970().as_nanos()),
                })
            }
        }
    }

    /// A JWT with valid header and claims. The signature is a placeholder, since no client checks it.
    fn jwt(&self, request: &TokenRequest<'_>, granted: &[Scope]) -> String {
        let tokens = &request.preset.tokens;
        let now = self.world.clock.unix();
        let number = self.next_number(Counter::Tokens);
        let mut claims = json!({
            "access": granted.iter().map(|scope| access_claim(tokens.access_parameters, scope)).collect::<Vec<_>>(),
            "aud": self.service(request.preset),
            "exp": now + tokens.jwt_lifetime.unwrap_or(tokens.lifetime).as_secs(),
            "iat": now,
            "iss": tokens.issuer,
            "jti": format!("dckr_jti_{number:020}="),
            "nbf": now - 300,
            "sub": request.user.as_deref().unwrap_or_default(),
        });
        if let (TokenFormat::UserJwt, Some(claims)) = (tokens.format, claims.as_object_mut()) {
            claims.remove("access");
        }
        if let Some(change) = &tokens.edit_claims {
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
    if let Some(rejection) = &preset.tokens.post_rejection {
        return Err(rejection.clone());
    }
    let is_form = call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form = String::from_utf8_lossy(&call.read().await).into_owned();
    call.amend(|entry| entry.query.clone_from(&form));
    if super::super::rules::has_empty_parameter(&call.entry) {
        call.report_violation(Rule::EmptyTokenParameter);
    }
    // Required by the specification (distribution docs/content/spec/auth/oauth.md).
    let complete = ["grant_type", "service", "client_id"].iter().all(|key| query::value(&form, key).is_some());
    if is_form && complete { Ok(form) } else { Err(Reply::new(400).json(r#"{"error":"invalid_request"}"#)) }
}

fn wants_refresh_token(parameters: &str) -> bool {
    query::value(parameters, "offline_token").as_deref() == Some("true")
        || query::value(parameters, "access_type").as_deref() == Some("offline")
}

/// Longer than any test runs.
pub(in super::super) const FOREVER: Duration = Duration::from_secs(365 * 86_400);

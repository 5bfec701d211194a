//! Google: the metadata server, the OAuth token endpoint, the security token service, and the IAM service that issues tokens
//! of service accounts. Section 7 of registries.md; RFC 7523, RFC 8693; error bodies as Google's own clients quote them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::call::Call;
use super::super::clock::Clock;
use super::super::ledger::Role;
use super::super::registry::Registry;
use super::super::reply::Reply;
use super::super::server::Server;
use super::super::simulation::Sim;
use super::super::world::World;
use super::super::{lock, query};
use super::issuer::{Form, Issuer, handler, head_handler, oauth_error};
use super::jwt::ServiceKey;

/// A running cloud whose access tokens a registry accepts. In the ledger, each server has the name of its field.
pub struct Google {
    cloud: Arc<Cloud>,
    pub metadata: Arc<Server>,
    pub oauth2: Arc<Server>,
    pub sts: Arc<Server>,
    pub iam: Arc<Server>,
    /// A source of subject tokens for workload identity federation, for requests with the header `Metadata: True`.
    pub subjects: Arc<Server>,
}

struct Cloud {
    world: Arc<World>,
    clock: Clock,
    registry: Registry,
    issuer: Issuer,
    key: ServiceKey,
    /// The last token of the metadata server, which sends it again until five minutes before its expiry.
    cached: Mutex<Option<(String, Instant)>>,
    subject: Mutex<String>,
    deleted: Mutex<bool>,
}

pub const EMAIL: &str = "robot@acme.iam.gserviceaccount.com";
pub const CLIENT_SECRET: &str = "d-FL95Q19q7MQmFpd7hHD0Ty";
pub const REFRESH_TOKEN: &str = "1//0gRefreshTokenOfAPerson";
pub const POOL: &str = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

const HOUR: Duration = Duration::from_secs(3600);

impl Google {
    pub const EMAIL: &'static str = EMAIL;

    pub async fn start(sim: &Sim, registry: &Registry) -> Self {
        let cloud = Arc::new(Cloud {
            world: Arc::clone(sim.world()),
            clock: sim.clock(),
            registry: registry.clone(),
            issuer: Issuer::default(),
            key: ServiceKey::new("key-1"),
            cached: Mutex::default(),
            subject: Mutex::new("subject.token.1".to_owned()),
            deleted: Mutex::default(),
        });
        let other = |name| Role::Other(name);
        Self {
            metadata: sim
                .serve("metadata.google.internal", other("metadata"), head_handler(&cloud, Cloud::metadata))
                .await,
            oauth2: sim.serve("oauth2.googleapis.com", other("oauth2"), handler(&cloud, Cloud::token)).await,
            sts: sim.serve("sts.googleapis.com", other("sts"), handler(&cloud, Cloud::exchange)).await,
            iam: sim.serve("iamcredentials.googleapis.com", other("iam"), handler(&cloud, Cloud::impersonate)).await,
            subjects: sim.serve("subjects.test", other("subjects"), head_handler(&cloud, Cloud::subject_token)).await,
            cloud,
        }
    }

    /// A key file of the service account with this key.
    pub fn service_account(&self, key: &ServiceKey) -> Value {
        json!({
            "type": "service_account", "project_id": "acme", "private_key_id": key.id, "private_key": key.pem,
            "client_email": EMAIL, "client_id": "1", "token_uri": format!("{}/token", self.oauth2.origin()),
            "universe_domain": "googleapis.com",
        })
    }

    /// The valid key of the service account.
    pub fn key(&self) -> &ServiceKey {
        &self.cloud.key
    }

    /// The credential file that gcloud writes for a user.
    pub fn authorized_user(&self) -> Value {
        json!({
            "type": "authorized_user", "client_id": "764086051850.apps.googleusercontent.com", "account": "",
            "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
            "token_uri": format!("{}/token", self.oauth2.origin()),
        })
    }

    /// The credential file of workload identity federation with this source of subject tokens. With `impersonates` it names
    /// the service account whose tokens IAM issues.
    pub fn external_account(&self, source: &Value, impersonates: bool) -> Value {
        let mut file = json!({
            "type": "external_account", "audience": POOL, "subject_token_type": TYPE,
            "token_url": format!("{}/v1/token", self.sts.origin()), "credential_source": source,
        });
        if impersonates {
            let url = format!("{}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken", self.iam.origin());
            file["service_account_impersonation_url"] = url.into();
        }
        file
    }

    /// Sets the only valid subject token.
    pub fn set_subject_token(&self, token: &str) {
        token.clone_into(&mut lock(&self.cloud.subject));
    }

    /// Deletes the service account and its keys.
    pub fn delete_account(&self) {
        *lock(&self.cloud.deleted) = true;
    }

    /// Every secret that clients send or receive.
    pub fn secrets(&self) -> Vec<String> {
        let key = self.cloud.key.pem.lines().nth(3).expect("a key has lines").to_owned();
        let fixed = [CLIENT_SECRET, REFRESH_TOKEN, "ya29.", "subject.token"].map(str::to_owned);
        fixed.into_iter().chain([key]).collect()
    }
}

impl Cloud {
    /// Issues an access token that the registry accepts.
    fn access_token(&self, lifetime: Duration) -> String {
        let token = format!("ya29.c.token-{:03}", self.issuer.next_number());
        self.issuer.issue(&token, "access", lifetime);
        self.registry.users().add_temporary("oauth2accesstoken", &token, Instant::now() + lifetime);
        token
    }

    fn metadata(&self, call: &Call) -> Reply {
        let reply =
            |status| Reply::new(status).header("metadata-flavor", "Google").header("server", "Metadata Server for VM");
        if call.header("metadata-flavor") != Some("Google") || call.header("x-forwarded-for").is_some() {
            return reply(403).html("<html><title>Error 403 (Forbidden)!!1</title></html>");
        }
        let is_account = call.entry.path == "/computeMetadata/v1/instance/service-accounts/default/token";
        if call.entry.method != Method::GET || !is_account || *lock(&self.deleted) {
            return reply(404).html("<html><title>Error 404 (Not Found)!!1</title></html>");
        }
        let now = Instant::now();
        let mut cached = lock(&self.cached);
        let (token, until) = match cached.take().filter(|(_, until)| *until > now + Duration::from_secs(300)) {
            Some(cached) => cached,
            None => (self.access_token(HOUR), now + HOUR),
        };
        let left = (until - now).as_secs().saturating_sub(1);
        *cached = Some((token.clone(), until));
        reply(200).json(json!({ "access_token": token, "expires_in": left, "token_type": "Bearer" }))
    }

    async fn token(self: Arc<Self>, mut call: Call) -> Reply {
        if call.entry.path != "/token" {
            return Reply::new(404).html("<html><title>Error 404 (Not Found)!!1</title></html>");
        }
        let Some(form) = Form::read(&mut call).await else {
            return oauth_error(400, "invalid_request", "Could not parse the request.");
        };
        let rejection = match form.get("grant_type").as_str() {
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => self.assertion_error(&call, &form.get("assertion")),
            "refresh_token" => user_error(&form),
            grant => Some(oauth_error(400, "unsupported_grant_type", &format!("Invalid grant_type: {grant}"))),
        };
        rejection.unwrap_or_else(|| {
            let token = self.access_token(HOUR);
            Reply::new(200).json(json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" }))
        })
    }

    /// The error reply to an invalid assertion of the service account; `None` if it is valid.
    fn assertion_error(&self, call: &Call, assertion: &str) -> Option<Reply> {
        let invalid = |why: &str| Some(oauth_error(400, "invalid_grant", why));
        if *lock(&self.deleted) {
            return invalid("Invalid grant: account not found");
        }
        let Some(claims) = self.key.verify(assertion) else { return invalid("Invalid JWT Signature.") };
        if claims["iss"] != EMAIL || claims.get("sub").is_some() {
            return invalid("Invalid grant: account not found");
        }
        if claims["aud"] != format!("http://{}/token", call.header("host").unwrap_or_default()) {
            return invalid(
                "Invalid JWT: Failed audience check. The right audience is https://oauth2.googleapis.com/token",
            );
        }
        if claims["scope"] != SCOPE {
            return Some(oauth_error(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided."));
        }
        let now = self.clock.unix();
        match (claims["iat"].as_u64(), claims["exp"].as_u64()) {
            (Some(iat), Some(exp)) if iat <= now && now < exp && exp <= iat + 3600 => None,
            _ => invalid(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
            ),
        }
    }

    async fn exchange(self: Arc<Self>, mut call: Call) -> Reply {
        let Some(form) = Form::read(&mut call).await.filter(|_| call.entry.path == "/v1/token") else {
            return oauth_error(400, "invalid_request", "Could not parse the request.");
        };
        for (name, value) in [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("scope", SCOPE),
            ("subject_token_type", TYPE),
        ] {
            if form.get(name) != value {
                return oauth_error(400, "invalid_request", &format!("Invalid value for \"{name}\"."));
            }
        }
        if form.get("audience") != POOL {
            return oauth_error(
                400,
                "invalid_target",
                "The target service indicated by the \"audience\" parameters is invalid.",
            );
        }
        if form.get("subject_token") != *lock(&self.subject) {
            return oauth_error(400, "invalid_grant", "The given credential is rejected by the attribute condition.");
        }
        let token = self.access_token(HOUR);
        self.world.tokens.record(&token, &call.entry.server);
        Reply::new(200).json(json!({
            "access_token": token, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer", "expires_in": 3599,
        }))
    }

    async fn impersonate(self: Arc<Self>, mut call: Call) -> Reply {
        let refused = |status, message: &str| {
            Reply::new(status).json(json!({ "error": { "code": status, "message": message, "status": "REFUSED" } }))
        };
        let bearer = call.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        let body: Option<Value> = serde_json::from_slice(&call.read().await).ok();
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        if call.entry.path != format!("/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken") {
            return refused(404, "Not found; Gaia id not found for email");
        }
        if bearer.and_then(|token| self.issuer.purpose(&token)).is_none() {
            return refused(401, "Request had invalid authentication credentials.");
        }
        let Some(body) = body.filter(|_| is_json && call.entry.method == Method::POST) else {
            return refused(400, "Invalid JSON payload received.");
        };
        let lifetime = body["lifetime"].as_str().and_then(|text| text.strip_suffix('s')?.parse().ok());
        let Some(lifetime) = lifetime.filter(|seconds| (1..=3600).contains(seconds)) else {
            return refused(400, "Request contains an invalid argument.");
        };
        if body["scope"] != json!([SCOPE]) {
            return refused(400, "Scope is required.");
        }
        let token = self.access_token(Duration::from_secs(lifetime));
        Reply::new(200).json(json!({ "accessToken": token, "expireTime": self.clock.rfc3339() }))
    }

    fn subject_token(&self, call: &Call) -> Reply {
        if call.header("metadata") != Some("True") {
            return Reply::new(400).text("Required metadata header not specified");
        }
        let token = lock(&self.subject).clone();
        match query::value(&call.entry.query, "as").as_deref() {
            Some("json") => Reply::new(200).json(json!({ "access_token": token })),
            _ => Reply::new(200).text(&format!("{token}\n")),
        }
    }
}

/// The error reply to an invalid refresh token of a user; `None` if it is valid.
fn user_error(form: &Form) -> Option<Reply> {
    let is_client = form.get("client_id") == "764086051850.apps.googleusercontent.com";
    if !is_client || form.get("client_secret") != CLIENT_SECRET {
        return Some(oauth_error(401, "invalid_client", "The OAuth client was not found."));
    }
    let is_valid = form.get("refresh_token") == REFRESH_TOKEN;
    (!is_valid).then(|| oauth_error(400, "invalid_grant", "Token has been expired or revoked."))
}

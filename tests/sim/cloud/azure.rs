//! Azure: the directory, the metadata service, the identity endpoint of an app, and the token exchange of a registry. Section
//! 4 of registries.md; error bodies as Microsoft's own clients quote them.

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
use super::super::{lock, query};
use super::issuer::{Form, Issuer, handler, head_handler, oauth_error};
use super::jwt;

/// A running cloud whose tokens a registry exchanges for its own.
pub struct Azure {
    cloud: Arc<Cloud>,
}

/// The token endpoint of the directory (Microsoft Entra ID). Its origin goes into `AZURE_AUTHORITY_HOST` unless it is the default one.
pub struct Directory(pub Arc<Server>);

/// The metadata service of a virtual machine.
pub struct Imds(pub Arc<Server>);

/// The identity endpoint of an App Service app.
pub struct AppService(pub Arc<Server>);

struct Cloud {
    clock: Clock,
    registry: Registry,
    issuer: Issuer,
    audience: &'static str,
    assertion: Mutex<String>,
    /// How many seconds the registry's clock is ahead of the simulation's; negative if it is behind.
    clock_ahead: Mutex<i64>,
}

/// How long a refresh token of the registry is valid.
const REFRESH_LIFETIME: Duration = Duration::from_secs(3 * 3600);

impl Azure {
    pub const TENANT: &'static str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    pub const CLIENT: &'static str = "11111111-2222-3333-4444-555555555555";
    pub const SECRET: &'static str = "8Q~client-secret-of-a-principal";
    pub const HEADER: &'static str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";

    /// Starts the cloud for one registry; tokens for it have this `audience`.
    pub fn start(sim: &Sim, registry: &Registry, audience: &'static str) -> Self {
        let cloud = Arc::new(Cloud {
            clock: sim.clock(),
            registry: registry.clone(),
            issuer: Issuer::default(),
            audience,
            assertion: Mutex::new("assertion.of.pod-1".to_owned()),
            clock_ahead: Mutex::default(),
        });
        registry.handle_path("/oauth2/exchange", handler(&cloud, Cloud::exchange));
        Self { cloud }
    }

    /// Starts the token endpoint of the directory.
    pub async fn directory(&self, sim: &Sim, host: &str) -> Directory {
        Directory(sim.serve(host, Role::Other("directory"), handler(&self.cloud, Cloud::directory)).await)
    }

    /// Starts the metadata service.
    pub async fn imds(&self, sim: &Sim) -> Imds {
        Imds(sim.serve("169.254.169.254", Role::Other("imds"), head_handler(&self.cloud, Cloud::imds)).await)
    }

    /// Starts the identity endpoint of an app.
    pub async fn app_service(&self, sim: &Sim) -> AppService {
        AppService(sim.serve("127.0.0.1", Role::Other("app"), head_handler(&self.cloud, Cloud::app)).await)
    }

    /// Sets the only valid federated token of the pod.
    pub fn set_assertion(&self, token: &str) {
        token.clone_into(&mut lock(&self.cloud.assertion));
    }

    /// Sets the registry's clock ahead of the simulation's, or behind it if negative.
    pub fn set_clock_ahead(&self, seconds: i64) {
        *lock(&self.cloud.clock_ahead) = seconds;
    }

    /// Every secret that clients send or receive. Of JWTs, the list has the first characters of the encoded claims.
    pub fn secrets() -> Vec<String> {
        [Self::SECRET, Self::HEADER, "assertion.of.pod", "eyJhdWQi", "eyJleHAi"].map(str::to_owned).into()
    }
}

impl Cloud {
    fn directory_token(&self, client: &str, audience: &str) -> String {
        let (now, number) = (self.clock.unix(), self.issuer.next_number());
        let claims = json!({
            "aud": audience, "iss": "https://sts.windows.net/", "iat": now, "nbf": now, "exp": now + 3900,
            "appid": client, "uti": number,
        });
        let token = jwt::unsigned(&claims);
        self.issuer.issue(&token, audience, Duration::from_secs(3900));
        token
    }

    async fn directory(self: Arc<Self>, mut call: Call) -> Reply {
        let tenant = call.entry.path.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
        if call.entry.path != format!("/{tenant}/oauth2/v2.0/token") {
            return Reply::new(404).text("");
        }
        if tenant != Azure::TENANT {
            return oauth_error(400, "invalid_request", &format!("AADSTS90002: Tenant '{tenant}' not found."));
        }
        let Some(form) = Form::read(&mut call).await else {
            return oauth_error(
                400,
                "invalid_request",
                "AADSTS900144: The request body must contain the following parameter: 'grant_type'.",
            );
        };
        if form.get("grant_type") != "client_credentials" {
            return oauth_error(
                400,
                "unsupported_grant_type",
                "AADSTS70003: The app requested an unsupported grant type.",
            );
        }
        if form.get("client_id") != Azure::CLIENT {
            return oauth_error(
                400,
                "unauthorized_client",
                "AADSTS700016: Application with identifier was not found in the directory.",
            );
        }
        if form.get("scope") != format!("{}/.default", self.audience) {
            return oauth_error(
                400,
                "invalid_scope",
                "AADSTS70011: The provided request must include a 'scope' input parameter.",
            );
        }
        let rejection = if form.has("client_assertion") {
            let kind = form.get("client_assertion_type");
            let is_kind = kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let is_valid =
                is_kind && form.get("client_assertion") == *lock(&self.assertion) && !form.has("client_secret");
            let why = "AADSTS700024: Client assertion is not within its valid time range.";
            (!is_valid).then(|| oauth_error(401, "invalid_client", why))
        } else {
            let why = "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.";
            (form.get("client_secret") != Azure::SECRET).then(|| oauth_error(401, "invalid_client", why))
        };
        rejection.unwrap_or_else(|| {
            let token = self.directory_token(Azure::CLIENT, self.audience);
            Reply::new(200).json(json!({
                "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token,
            }))
        })
    }

    fn imds(&self, call: &Call) -> Reply {
        let invalid = |why: &str| oauth_error(400, "invalid_request", why);
        if call.entry.method != Method::GET || call.entry.path != "/metadata/identity/oauth2/token" {
            return Reply::new(404).text("");
        }
        if call.header("metadata") != Some("true") || call.header("x-forwarded-for").is_some() {
            return invalid("Required metadata header not specified");
        }
        if !matches!(query::value(&call.entry.query, "api-version").as_deref(), Some("2018-02-01" | "2019-08-01")) {
            return invalid("Required query variable 'api-version' is missing or not supported");
        }
        match self.managed_identity(call) {
            Ok((client, resource, token)) => {
                let now = self.clock.unix();
                Reply::new(200).json(json!({
                    "access_token": token, "client_id": client, "expires_in": "3899", "expires_on": (now + 3900).to_string(),
                    "ext_expires_in": "3899", "not_before": now.to_string(), "resource": resource, "token_type": "Bearer",
                }))
            }
            Err(why) => invalid(why),
        }
    }

    fn app(&self, call: &Call) -> Reply {
        let refused = |status: u16, why: &str| Reply::new(status).json(json!({ "statusCode": status, "message": why }));
        if call.entry.method != Method::GET || call.entry.path != "/msi/token" {
            return Reply::new(404).text("");
        }
        if call.header("x-identity-header") != Some(Azure::HEADER) {
            return refused(401, "Unauthorized");
        }
        if query::value(&call.entry.query, "api-version").as_deref() != Some("2019-08-01") {
            return refused(400, "Unsupported api-version");
        }
        match self.managed_identity(call) {
            Ok((client, resource, token)) => {
                let until = (self.clock.unix() + 3900).to_string();
                Reply::new(200).json(json!({
                    "access_token": token, "client_id": client, "expires_on": until, "resource": resource,
                    "token_type": "Bearer",
                }))
            }
            Err(why) => refused(400, why),
        }
    }

    /// The client id, the resource and a new token for a request of a managed identity; `Err` is the message of the
    /// error reply.
    fn managed_identity(&self, call: &Call) -> Result<(String, String, String), &'static str> {
        let parameter = |name| query::value(&call.entry.query, name);
        let resource =
            parameter("resource").filter(|resource| !resource.is_empty()).ok_or("The resource is missing")?;
        if resource != self.audience {
            return Err("AADSTS500011: The resource principal was not found in the tenant");
        }
        let client = parameter("client_id").unwrap_or_else(|| Azure::CLIENT.to_owned());
        if client != Azure::CLIENT {
            return Err("Identity not found");
        }
        let token = self.directory_token(&client, &resource);
        Ok((client, resource, token))
    }

    async fn exchange(self: Arc<Self>, mut call: Call) -> Reply {
        let Some(form) = Form::read(&mut call).await else { return Reply::new(400) };
        let is_valid = form.get("grant_type") == "access_token" && form.get("service") == self.registry.authority();
        if !is_valid || form.has("tenant") && form.get("tenant") != Azure::TENANT {
            return Reply::new(400);
        }
        if self.issuer.purpose(&form.get("access_token")).as_deref() != Some(self.audience) {
            let message = "authentication required, visit https://aka.ms/acr/authorization for more information.";
            return Reply::error(401, "UNAUTHORIZED", message);
        }
        let now = self.clock.unix().saturating_add_signed(*lock(&self.clock_ahead));
        let claims: Value = json!({
            "exp": now + REFRESH_LIFETIME.as_secs(), "iat": now, "nbf": now, "iss": "Azure Container Registry",
            "aud": self.registry.authority(), "grant_type": "refresh_token", "jti": self.issuer.next_number(),
        });
        let token = jwt::unsigned(&claims);
        self.issuer.issue(&token, "registry", REFRESH_LIFETIME);
        self.registry.users().add_temporary(
            "00000000-0000-0000-0000-000000000000",
            &token,
            Instant::now() + REFRESH_LIFETIME,
        );
        Reply::new(200).json(json!({ "refresh_token": token }))
    }
}

//! Docker Hub, after the transcripts of January 2024 (seed) and section 2 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{ApiRequest, Denial, Scope, TokenRequest};
use super::super::reply::Reply;
use super::super::route::Route;
use super::distribution::detail;
use super::{AcceptMismatch, Capabilities, Catalog, Delivery, LinkForm, Preset, RateLimit, Referrers};

const HEADERS: &[(&str, &str)] =
    &[("docker-distribution-api-version", "registry/2.0"), ("strict-transport-security", "max-age=31536000")];
const TOKEN_HEADERS: &[(&str, &str)] =
    &[("x-trace-id", "30f17bf77f44bfe9593e7ad8ccff8d1a"), ("strict-transport-security", "max-age=31536000")];

impl Preset {
    pub fn docker_hub() -> Self {
        let mut preset = Self::plain("hub.test");
        preset.headers = HEADERS;
        preset.early_reply = Arc::new(early_reply);
        preset.access.reject = Arc::new(reject);
        preset.tokens.headers = TOKEN_HEADERS;
        // A name, not a host: registry.docker.io itself replies 503.
        preset.tokens.service = Some("registry.docker.io".to_owned());
        preset.tokens.issuer = "auth.docker.io".into();
        preset.tokens.access_parameters = &[("pull_limit", "100"), ("pull_limit_interval", "21600")];
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.bad_credential_reply = Reply::new(401).json(r#"{"details":"incorrect username or password"}"#);
        preset.tokens.issues_refresh_tokens = true;
        preset.tokens.chunked = true;
        preset.pull.accept_mismatch = AcceptMismatch::ServeSchema1;
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(1200));
        preset.pull.rate_limit = Some(RateLimit {
            limit: 100,
            window: Duration::from_secs(21_600),
            exceeded: Self::docker_hub_rate_limited(),
        });
        preset.lists.tags.link = LinkForm::None;
        preset.lists.tags.chunked = true;
        preset.lists.catalog = None;
        preset.lists.referrers = Referrers::Index;
        preset.capabilities = Capabilities {
            credential: Some(("alice", "alices password")),
            name_components: 2..=2,
            public_repository: "library/python",
            private_repository: "alice/app",
            catalog: Catalog::OwnNamespaces,
            referrers: true,
            ..Capabilities::plain()
        };
        preset
    }

    /// The 429 as an error document of the API.
    pub fn docker_hub_rate_limited() -> Reply {
        let message = "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: \
                       https://www.docker.com/increase-rate-limit";
        Reply::error(429, "TOOMANYREQUESTS", message)
    }

    /// The 429 of the load balancer, in plain text.
    pub fn docker_hub_rate_limited_in_text() -> Reply {
        Reply::new(429).text("Too Many Requests (HAP429).\n")
    }

    /// The 429 as a JSON object with a message (tests of containers/image).
    pub fn docker_hub_rate_limited_in_message() -> Reply {
        Reply::new(429).json(r#"{"message":"toomanyrequests: You have reached your pull rate limit."}"#)
    }
}

fn early_reply(request: &ApiRequest<'_>) -> Option<Reply> {
    match (request.route, &request.entry.method) {
        (Route::Root, _) => Some(Reply::page_not_found().header("x-content-type-options", "nosniff")),
        (Route::BareBase, &Method::POST | &Method::PUT | &Method::DELETE) => Some(Reply::redirect(301, "/v2/")),
        _ => None,
    }
}

fn reject(denial: &Denial<'_>) -> Reply {
    let scope = denial.required.first().map(ToString::to_string);
    Reply::error_detail(401, "UNAUTHORIZED", "authentication required", &detail(&denial.required))
        .header("www-authenticate", denial.bearer_challenge(scope.as_deref()))
}

/// Grants only what the user may do. The reply does not say what is missing; only the `access` claim does.
fn grant(request: &TokenRequest<'_>) -> Result<Vec<Scope>, Reply> {
    if request.scopes.iter().any(|scope| !scope.starts_with("repository:") && !scope.starts_with("repository(plugin):"))
    {
        return Err(Reply::new(400).json(r#"{"details":"unknown resource type"}"#));
    }
    Ok(request.permitted_scopes())
}

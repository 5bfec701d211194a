//! Docker Hub, after the transcripts of January 2024 (seed) and section 2 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{Ask, Denial, Route, Scope, TokenAsk};
use super::super::reply::Reply;
use super::distribution::detail;
use super::{Abilities, Catalog, Delivery, Hop, LinkForm, Place, Preset, Rate, Referrers, Untyped};

const HEADERS: &[(&str, &str)] =
    &[("docker-distribution-api-version", "registry/2.0"), ("strict-transport-security", "max-age=31536000")];
const TOKEN_HEADERS: &[(&str, &str)] =
    &[("x-trace-id", "30f17bf77f44bfe9593e7ad8ccff8d1a"), ("strict-transport-security", "max-age=31536000")];

impl Preset {
    pub fn docker_hub() -> Self {
        let mut preset = Self::plain("hub.test");
        preset.headers = HEADERS;
        preset.oddities = Arc::new(oddities);
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.headers = TOKEN_HEADERS;
        // A name that is no host: registry.docker.io itself answers 503.
        preset.tokens.service = Some("registry.docker.io".to_owned());
        preset.tokens.issuer = "auth.docker.io".into();
        preset.tokens.access_parameters = &[("pull_limit", "100"), ("pull_limit_interval", "21600")];
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.wrong_login = Reply::new(401).json(r#"{"details":"incorrect username or password"}"#);
        preset.tokens.refresh = true;
        preset.tokens.chunked = true;
        preset.pull.untyped = Untyped::Schema1;
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.pull.rate =
            Some(Rate { limit: 100, window: Duration::from_secs(21_600), exceeded: Self::docker_hub_rate_limited() });
        preset.lists.tags.link = LinkForm::None;
        preset.lists.tags.chunked = true;
        preset.lists.catalog = None;
        preset.lists.referrers = Referrers::Index;
        preset.can = Abilities {
            login: Some(("alice", "alices password")),
            parts: 2..=2,
            public: "library/python",
            private: "alice/app",
            catalog: Catalog::Never,
            referrers: true,
            ..Abilities::plain()
        };
        preset
    }

    /// The 429 as an OCI error.
    pub fn docker_hub_rate_limited() -> Reply {
        let message = "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: \
                       https://www.docker.com/increase-rate-limit";
        Reply::error(429, "TOOMANYREQUESTS", message)
    }

    /// The 429 as plain text, of the load balancer in front.
    pub fn docker_hub_rate_limited_in_text() -> Reply {
        Reply::new(429).text("Too Many Requests (HAP429).\n")
    }

    /// The 429 as a bare message (containers/image tests).
    pub fn docker_hub_rate_limited_in_message() -> Reply {
        Reply::new(429).json(r#"{"message":"toomanyrequests: You have reached your pull rate limit."}"#)
    }
}

fn oddities(ask: &Ask<'_>) -> Option<Reply> {
    match (ask.route, &ask.entry.method) {
        (Route::Root, _) => {
            Some(Reply::new(404).text("404 page not found\n").header("x-content-type-options", "nosniff"))
        }
        (Route::BareBase, &Method::POST | &Method::PUT | &Method::DELETE) => Some(Reply::redirect(301, "/v2/")),
        _ => None,
    }
}

fn refuse(denial: &Denial<'_>) -> Reply {
    let scope = denial.needs.first().map(ToString::to_string);
    Reply::error_detail(401, "UNAUTHORIZED", "authentication required", &detail(&denial.needs))
        .header("www-authenticate", denial.bearer(scope.as_deref()))
}

/// What the user may not have is left out without a word; only the `access` claim tells.
fn grant(ask: &TokenAsk<'_>) -> Result<Vec<Scope>, Reply> {
    if ask.scopes.iter().any(|scope| !scope.starts_with("repository:") && !scope.starts_with("repository(plugin):")) {
        return Err(Reply::new(400).json(r#"{"details":"unknown resource type"}"#));
    }
    Ok(ask.reduced())
}

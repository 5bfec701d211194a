//! Quay.io, section 12 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{ApiRequest, Denial, Scope, TokenRequest, distribution_scopes};
use super::super::reply::Reply;
use super::super::route::Route;
use super::{
    AcceptMismatch, Capabilities, Catalog, Delivery, LinkForm, MountWithoutFrom, NTooLarge, Paging, Preset, Referrers,
    TokenField, TokenHost,
};

impl Preset {
    pub fn quay() -> Self {
        let mut preset = Self::plain("quay.test");
        preset.base_reply = Arc::new(base);
        preset.access.required_scopes = Arc::new(scopes);
        preset.access.reject = Arc::new(reject);
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.path = "/v2/auth".into();
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.push_creates_repository = true;
        preset.tokens.lifetime = Duration::from_secs(3600);
        preset.tokens.issuer = "quay".into();
        preset.tokens.reply_with_only("token");
        preset.tokens.post_rejection = Some(Reply::new(405));
        preset.pull.accept_mismatch = AcceptMismatch::ServeSchema1;
        preset.pull.blobs = Delivery::to_blob_store(302, Duration::from_secs(600)).for_get_only();
        preset.pull.head_served_directly = true;
        let paging = Paging {
            default_n: Some(100),
            max_n: Some(100),
            n_too_large: NTooLarge::Clamped,
            n_malformed: |_| Ok(1),
            sorted: false,
            link: LinkForm::NFirst,
            ..Paging::plain()
        };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(Paging { link: LinkForm::OpaqueCursor, ..paging });
        preset.lists.referrers = Referrers::Missing;
        preset.push.status_range_prefix = "bytes=";
        // Quay's message for this error is not documented.
        let sourceless = Reply::error_detail(400, "INVALID_REQUEST", "the source of the mount is missing", "{}");
        preset.push.mounts.without_from = MountWithoutFrom::Rejected(sourceless);
        preset.push.deletes.blobs = Some(Reply::unsupported());
        preset.capabilities = Capabilities {
            name_components: 2..=2,
            delete_blobs: false,
            catalog: Catalog::AnyUser,
            ..Capabilities::plain()
        };
        preset
    }

    /// Quay with the token service of 2026 (quay/quay c633fa301, 2026-07-21: `internal/registry/auth/handler.go`,
    /// `internal/registry/distribution/token_handler.go`): a Basic challenge for a wrong credential and for none without
    /// a scope, `expires_in`, and short error codes.
    pub fn quay_with_go_token_service() -> Self {
        let mut preset = Self::quay();
        let error = |status, code: &str| Reply::new(status).json(format_args!(r#"{{"error":"{code}"}}"#));
        let challenge = error(401, "invalid_client").header("www-authenticate", r#"Basic realm="quay.test""#);
        preset.tokens.reply_fields = vec![TokenField::Full("token"), TokenField::Full("access_token")];
        preset.tokens.expires_in = Some(3600);
        preset.tokens.issued_at = true;
        preset.tokens.push_creates_repository = false;
        preset.tokens.bad_credential_reply = challenge.clone();
        preset.tokens.post_rejection = Some(error(405, "method_not_allowed").header("allow", "GET"));
        preset.tokens.grant = Arc::new(move |request| {
            if !request.scopes.iter().all(|scope| is_known_scope(scope)) {
                return Err(error(400, "invalid_scope"));
            }
            if request.user.is_none() && request.scopes.is_empty() {
                return Err(challenge.clone());
            }
            Ok(request.permitted_scopes())
        });
        preset
    }

    /// The 429 of the rate limiter in front of the registry.
    pub fn quay_throttled() -> Reply {
        Reply::nginx(429, "429 Too Many Requests")
    }
}

/// The 200 of `/v2/`, which has a challenge, like a 401.
fn base(request: &ApiRequest<'_>) -> Reply {
    let (realm, service) = (request.registry.realm(request.preset), request.registry.service(request.preset));
    Reply::new(200)
        .body("application/json", "true")
        .header("x-sparse-manifest-support", "true")
        .header("www-authenticate", format!(r#"Bearer realm="{realm}",service="{service}""#))
}

/// A delete requires `push`. The catalog requires no scope, because Quay lists what the user may see; the simulation
/// lists everything.
fn scopes(request: &ApiRequest<'_>) -> Vec<Scope> {
    match (request.route, &request.entry.method) {
        (Route::Catalog, _) => Vec::new(),
        (route, &Method::DELETE) => {
            route.repository().map(|name| Scope::repository(name, &["push"])).into_iter().collect()
        }
        _ => distribution_scopes(request),
    }
}

/// The challenge of a denied request to a repository asks for `pull,push` even if the request is a read, and never has
/// an `error`.
fn reject(denial: &Denial<'_>) -> Reply {
    let mut challenge = format!(r#"Bearer realm="{}",service="{}""#, denial.realm, denial.service);
    let reply = match denial.request.route.repository() {
        Some(name) => {
            challenge.extend([r#",scope="repository:"#, name, r#":pull,push""#]);
            Reply::error_detail(401, "UNAUTHORIZED", "access to the requested resource is not authorized", "{}")
        }
        None => Reply::new(401).body("application/json", "true"),
    };
    reply.header("www-authenticate", challenge)
}

/// Rejects scopes other than `pull`, `push` and `*` of repositories, and an anonymous request without a scope. Grants
/// only what the user may do; the reply does not say which actions are missing.
fn grant(request: &TokenRequest<'_>) -> Result<Vec<Scope>, Reply> {
    if !request.scopes.iter().all(|scope| is_known_scope(scope)) {
        return Err(Reply::error_detail(400, "INVALID_REQUEST", "Unable to decode repository and actions", "{}"));
    }
    if request.user.is_none() && request.scopes.is_empty() {
        return Err(Reply::error_detail(
            401,
            "UNAUTHORIZED",
            "access to the requested resource is not authorized",
            "{}",
        ));
    }
    Ok(request.permitted_scopes())
}

fn is_known_scope(text: &str) -> bool {
    let scope = Scope::parse(text);
    let known = |action: &String| matches!(action.as_str(), "pull" | "push" | "*");
    scope.is_some_and(|scope| scope.kind == "repository" && scope.actions.iter().all(known))
}

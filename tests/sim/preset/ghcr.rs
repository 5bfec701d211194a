//! GitHub Container Registry, after the transcripts of February 2024 (seed) and section 3 of registries.md.
//! Anonymous tokens are not bound to a repository (nicholas-fedor/watchtower#2366, 2026-09-10).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::registry::{ApiRequest, Denial, DenialReason, Scope, TokenRequest, distribution_scopes};
use super::super::reply::Reply;
use super::super::route::Route;
use super::{
    Capabilities, DeleteRules, Delivery, Limit, LinkForm, Locations, Paging, Preset, Referrers, TokenFormat, TokenHost,
};

const HEADERS: &[(&str, &str)] =
    &[("docker-distribution-api-version", "registry/2.0"), ("x-github-request-id", "1E51:2DB2E6:17EDE:3D83A:65C06864")];

/// The scope that a challenge names instead of the request's repository: if there is none, if it does not exist, or
/// after Basic.
const PLACEHOLDER: &str = "repository:user/image:pull";

impl Preset {
    pub fn ghcr() -> Self {
        let mut preset = Self::plain("ghcr.test");
        preset.headers = HEADERS;
        preset.early_reply = Arc::new(early_reply);
        // GHCR sends an empty body, although the specification wants `{}`.
        preset.base_reply = Arc::new(|_| Reply::new(200).body("application/json", ""));
        preset.access.reject = Arc::new(reject);
        // The password in base64 is accepted as a bearer token.
        preset.access.password_from_bearer = |token| String::from_utf8(BASE64_STANDARD.decode(token).ok()?).ok();
        preset.access.required_scopes = Arc::new(scopes);
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.headers = HEADERS;
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.bad_credential_reply = denied();
        preset.tokens.post_rejection = Some(unsupported());
        preset.tokens.format = TokenFormat::Ghcr;
        preset.tokens.reply_with_only("token");
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(300)).for_get_only();
        let paging = Paging { default_n: Some(100), sorted: false, ..Paging::plain() };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(Paging { sorted: true, link: LinkForm::RequestedN, chunked: true, ..paging });
        preset.lists.referrers = Referrers::GitHubPage;
        preset.push.locations = Locations::Singular;
        // The limit and its reply: ocx-sh/ocx#237 and oras-project/rust-oci-client#37.
        let message = "the request body is too large and exceeds the maximum permissible limit of 4.00MiB";
        preset.push.patches.ranged_limit = Some(Limit::new(4 << 20, Reply::error(416, "SIZE_INVALID", message)));
        preset.push.deletes = DeleteRules::rejected(&unsupported());
        preset.capabilities = Capabilities {
            credential: Some(("toddysm", "ghp_toddysm")),
            name_components: 2..=usize::MAX,
            public_repository: "toddysm/python",
            private_repository: "toddysm/private",
            deletes_over_vendor_api: true,
            ..Capabilities::plain()
        }
        .undeletable();
        preset
    }

    /// The 429 of the limit that all clients of one address, or all of one account, share. The wait is in the message, and
    /// a part of a second (falcosecurity/plugins#1069, 2025-11-17; chainguard-images/images#173, 2023-01-03).
    pub fn ghcr_throttled() -> Reply {
        Reply::error(429, "TOOMANYREQUESTS", "retry-after: 985.86µs, allowed: 44000/minute")
    }
}

fn denied() -> Reply {
    Reply::error(403, "DENIED", "requested access to the resource is denied")
}

fn unsupported() -> Reply {
    Reply::unsupported()
}

fn early_reply(request: &ApiRequest<'_>) -> Option<Reply> {
    let has_token = request.caller.as_ref().is_ok_and(|caller| !caller.is_anonymous());
    match request.route {
        Route::Root => Some(Reply::new(200).html("<html><title>GitHub Packages</title></html>\n")),
        Route::BareBase if has_token => Some(Reply::page_not_found()),
        _ => None,
    }
}

/// A delete requires only `pull`: it is rejected later, whatever the token grants.
fn scopes(request: &ApiRequest<'_>) -> Vec<Scope> {
    match (request.route.repository(), &request.entry.method) {
        (Some(name), &http::Method::DELETE) => vec![Scope::repository(name, &["pull"])],
        _ => distribution_scopes(request),
    }
}

fn reject(denial: &Denial<'_>) -> Reply {
    let request = denial.request;
    let named = request.route.repository().filter(|name| request.registry.store().exists(name));
    let scope = match named {
        Some(name) if denial.reason != DenialReason::BasicNotAccepted => format!("repository:{name}:pull"),
        _ => PLACEHOLDER.to_owned(),
    };
    let reply = match denial.reason {
        DenialReason::BasicNotAccepted => Reply::error(401, "DENIED", "invalid token"),
        DenialReason::InsufficientScope => return denied(),
        _ => Reply::error(401, "UNAUTHORIZED", "authentication required"),
    };
    // The challenge has no `error`, as in all transcripts.
    reply.header("www-authenticate", denial.bearer_challenge_without_error(Some(&scope)))
}

/// Grants everything that was requested or nothing, and only for names with two components or more.
fn grant(request: &TokenRequest<'_>) -> Result<Vec<Scope>, Reply> {
    let requested: Vec<Scope> = request.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    if requested.iter().any(|scope| !scope.name.contains('/')) {
        return Err(Reply::error(400, "NAME_INVALID", "invalid repository name"));
    }
    let known = |scope: &Scope| scope.to_string() == PLACEHOLDER || request.registry.store().exists(&scope.name);
    let owned = |scope: &Scope| request.user.as_deref().is_some_and(|user| scope.name.starts_with(&format!("{user}/")));
    let full = |scope: &Scope| request.permitted_scopes().contains(scope);
    let placeholder = |scope: &Scope| request.user.is_some() && scope.to_string() == PLACEHOLDER;
    let granted = !requested.is_empty()
        && requested.iter().all(|scope| (known(scope) || owned(scope)) && (full(scope) || placeholder(scope)));
    if granted { Ok(requested) } else { Err(denied()) }
}

//! Google Artifact Registry, section 7 of registries.md. Names are `PROJECT/REPOSITORY/IMAGE`, on gcr.io
//! `PROJECT/IMAGE`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::super::query;
use super::super::registry::{ApiRequest, Denial, DenialReason, Policy, Scope, TokenRequest, distribution_scopes};
use super::super::reply::Reply;
use super::{
    Capabilities, Catalog, Delivery, ExpiryReply, Hop, HopTarget, Limit, Locations, MountSource, NTooLarge, Paging,
    Preset, Referrers, SignedUrl, TokenFormat, TokenHost,
};

const CREDENTIAL: (&str, &str) = ("oauth2accesstoken", "ya29.an-access-token");

impl Preset {
    pub fn google() -> Self {
        let mut preset = Self::plain("pkg.test");
        preset.policy = Policy::Users;
        preset.access.accepts_basic = true;
        preset.early_reply = Arc::new(short_name);
        // Public content needs no token (kubernetes/registry.k8s.io, handlers.go).
        preset.access.public_reads_open = true;
        preset.access.required_scopes = Arc::new(scopes);
        // An OAuth access token is accepted as a bearer token.
        preset.access.password_from_bearer = |token| Some(token.to_owned());
        preset.access.reject = Arc::new(|denial| reject(denial, "\""));
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.path = "/v2/token".into();
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.bad_credential_reply = Reply::error(401, "UNAUTHORIZED", "authentication failed");
        preset.tokens.post_rejection = Some(Reply::page_not_found());
        preset.tokens.format = TokenFormat::UserOpaque;
        preset.tokens.opaque_token = opaque;
        preset.tokens.lifetime = Duration::from_secs(43_200);
        preset.tokens.reply_with_only("token");
        preset.tokens.expires_in = Some(43_200);
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(302, HopTarget::SameOrigin)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.pull.signed_url = SignedUrl::InPath;
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::OutsideApi;
        // An upload may have only one PATCH (clowdhaus/ocync:blob.rs); the reply to a second one is not documented.
        let chunked = Reply::error(400, "BLOB_UPLOAD_INVALID", "chunked uploads are not supported");
        preset.push.patches.per_session_limit = Some(Limit::new(1, chunked));
        // bazel-contrib/rules_img, docs/registry-support.md.
        preset.push.mounts.source = MountSource::Optional;
        preset.capabilities = Capabilities {
            credential: Some(CREDENTIAL),
            name_components: 3..=usize::MAX,
            public_repository: "project/images/public",
            private_repository: "project/images/private",
            catalog: Catalog::AnyUser,
            referrers: true,
            expiry: Some(ExpiryReply::BareUnauthorized),
            ..Capabilities::plain()
        };
        preset
    }

    /// gcr.io, which Artifact Registry serves since March 2025: names have two components, the service of the challenge
    /// has no quotes (2026), and lists of tags have further members (google/go-containerregistry, google/list.go).
    pub fn gcr() -> Self {
        let mut preset = Self::google();
        preset.host = "gcr.test".into();
        preset.access.reject = Arc::new(|denial| reject(denial, ""));
        preset.lists.tags = Paging { max_n: Some(10_000), n_too_large: NTooLarge::Clamped, ..Paging::plain() };
        preset.lists.extra_tag_members = Some(Arc::new(extra_tag_members));
        preset.capabilities = Capabilities {
            name_components: 2..=usize::MAX,
            public_repository: "project/public",
            private_repository: "project/private",
            ..preset.capabilities
        };
        preset
    }
}

fn opaque(number: usize, _expires: u64) -> String {
    let product = "artifactregistry.googleapis.com";
    let document = json!({ "access_token": format!("ya29.{number}"), "commands": 1, "token_id": number.to_string(), "product": product });
    BASE64_STANDARD.encode(document.to_string())
}

/// Replies 400 to a repository name of one component, before the request is authorized.
fn short_name(request: &ApiRequest<'_>) -> Option<Reply> {
    let is_short = !request.route.repository()?.contains('/');
    is_short.then(|| Reply::error(400, "NAME_INVALID", "invalid number of path components: 1"))
}

/// Further members of the list of tags: `manifest` by digest, with numbers as strings, and `child` for repositories below.
fn extra_tag_members(request: &ApiRequest<'_>) -> String {
    let name = request.route.repository().unwrap_or_default();
    let listed = request.registry.store().read(name, |repository| {
        let manifests = repository.manifests.iter().map(|(digest, manifest)| {
            let tags: Vec<&str> =
                repository.tags.iter().filter(|(_, to)| to == digest).map(|(tag, _)| tag.as_str()).collect();
            let size = manifest.bytes.len().to_string();
            let member = json!({ "imageSizeBytes": size, "layerId": "", "mediaType": manifest.media_type, "tag": tags,
                "timeCreatedMs": "1706590417000", "timeUploadedMs": "1706590417000" });
            (digest.clone(), member)
        });
        manifests.collect::<serde_json::Map<_, _>>()
    });
    format!(r#","child":[],"manifest":{}"#, json!(listed.unwrap_or_default()))
}

fn scopes(request: &ApiRequest<'_>) -> Vec<Scope> {
    match (request.route.repository(), &request.entry.method) {
        (Some(name), &http::Method::DELETE) => vec![Scope::repository(name, &["pull", "push"])],
        _ => distribution_scopes(request),
    }
}

/// Only a request without a credential gets a challenge; `quote` is the quotation mark around its service.
fn reject(denial: &Denial<'_>, quote: &str) -> Reply {
    if denial.reason == DenialReason::InsufficientScope {
        return forbidden(denial);
    }
    if denial.reason != DenialReason::NoCredential {
        return Reply::error(401, "UNAUTHORIZED", "authentication failed: No valid credential was supplied.");
    }
    let (realm, service) = (&denial.realm, &denial.service);
    let challenge = match denial.required.first() {
        Some(scope) => {
            // In the challenge, a name of two components, which lacks the image, gets `/pkg` as its image.
            let image = if scope.name.split('/').count() == 2 && quote == "\"" { "/pkg" } else { "" };
            let scope = Scope { name: format!("{}{image}", scope.name), ..scope.clone() };
            format!(r#"Bearer realm="{realm}",service={quote}{service}{quote},scope="{scope}""#)
        }
        None if quote.is_empty() => format!(r#"Bearer realm="{realm}",service={service}"#),
        None => format!(r#"Bearer realm="{realm}""#),
    };
    Reply::error(401, "UNAUTHORIZED", "not authenticated: No credential was supplied.")
        .header("www-authenticate", challenge)
}

/// The 403 of a user, or of an anonymous token, without permission.
fn forbidden(denial: &Denial<'_>) -> Reply {
    let name = denial.required.first().map_or("", |scope| &scope.name);
    let mut parts = name.splitn(3, '/');
    let (project, repository) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let resource = format!("projects/{project}/locations/us/repositories/{repository}");
    let permission = "artifactregistry.repositories.downloadArtifacts";
    let user = denial.request.caller.as_ref().ok().and_then(|caller| caller.user().map(str::to_owned));
    let message = match user {
        Some(_) => format!(r#"Permission "{permission}" denied on resource "{resource}" (or it may not exist)"#),
        None => unauthenticated(),
    };
    Reply::error(403, "DENIED", &message)
}

/// The message of a 403 for an anonymous caller. The quoted source ends after `permission`; the rest is invented.
fn unauthenticated() -> String {
    "Unauthenticated request. Unauthenticated requests do not have permission \"artifactregistry.repositories.downloadArtifacts\""
        .to_owned()
}

/// Rejects several scopes (containerd/containerd#4379) and an empty one (heroku/docker-registry-client#28; the status
/// is not documented). Grants all actions of a scope or rejects the request. Everyone gets the scope of the catalog.
fn grant(request: &TokenRequest<'_>) -> Result<Vec<Scope>, Reply> {
    if request.scopes.len() > 1 {
        return Err(Reply::error(400, "UNSUPPORTED", "more than one scope"));
    }
    if query::value(&request.entry.query, "scope").is_some_and(|scope| scope.is_empty()) {
        return Err(Reply::error(400, "UNSUPPORTED", "empty scope"));
    }
    let requested: Vec<Scope> = request.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    if requested == request.permitted_scopes() || requested == [Scope::catalog()] {
        return Ok(requested);
    }
    Err(Reply::error(403, "DENIED", &unauthenticated()))
}

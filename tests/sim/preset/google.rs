//! Google Artifact Registry and Container Registry, section 7 of registries.md. Names are `PROJECT/REPOSITORY/IMAGE`, on
//! gcr.io `PROJECT/IMAGE`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::super::query;
use super::super::registry::{Ask, Denial, Policy, Scope, TokenAsk, Why, distribution_scopes};
use super::super::reply::Reply;
use super::{
    Abilities, Catalog, Delivery, Expiry, Hop, Limit, LinkForm, Locations, Mint, Paging, Place, Preset, Referrers,
    Signed, Source, TokenField, TokenPlace, TooMany,
};

const LOGIN: (&str, &str) = ("oauth2accesstoken", "ya29.an-access-token");

impl Preset {
    pub fn google() -> Self {
        let mut preset = Self::plain("pkg.test");
        preset.policy = Policy::Users;
        preset.gate.basic = true;
        preset.oddities = Arc::new(short_name);
        // kubernetes/registry.k8s.io, handlers.go.
        preset.gate.open_to_public = true;
        preset.gate.scopes = Arc::new(scopes);
        // An access token of OAuth is taken as it is.
        preset.gate.password_in_bearer = |token| Some(token.to_owned());
        preset.gate.refuse = Arc::new(|denial| refuse(denial, "\""));
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/v2/token".into();
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.wrong_login = Reply::error(401, "UNAUTHORIZED", "authentication failed");
        preset.tokens.post_refused = Some(Reply::new(404).text("404 page not found\n"));
        preset.tokens.mint = Mint::Unbound;
        preset.tokens.opaque = opaque;
        preset.tokens.lifetime = Duration::from_secs(43_200);
        preset.tokens.expires_in = Some(43_200);
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.issued_at = false;
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(302, Place::Here)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.pull.signed = Signed::InPath;
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::Outside;
        // One stream only (clowdhaus/ocync:blob.rs); how a second one is refused is not on record.
        let chunked = Reply::error(400, "BLOB_UPLOAD_INVALID", "chunked uploads are not supported");
        preset.push.patches.count = Some(Limit::new(1, chunked));
        preset.push.mounts.source = Source::Never;
        preset.can = Abilities {
            login: Some(LOGIN),
            parts: 3..=usize::MAX,
            public: "project/images/public",
            private: "project/images/private",
            catalog: Catalog::Login,
            referrers: true,
            expiry: Some(Expiry::BareUnauthorized),
            ..Abilities::plain()
        };
        preset
    }

    /// gcr.io as of February 2026: the service without quotes. Blobs are at another host, uploads under `/v2/`.
    pub fn gcr() -> Self {
        let mut preset = Self::google();
        preset.host = "gcr.test".into();
        preset.gate.refuse = Arc::new(|denial| refuse(denial, ""));
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(302, Place::Blobs)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.pull.signed = Signed::InQuery;
        // google/go-containerregistry, google/list.go.
        preset.lists.tags =
            Paging { most: Some(10_000), too_many: TooMany::Clamped, link: LinkForm::None, ..Paging::plain() };
        preset.lists.tags_more = Some(Arc::new(more_than_tags));
        preset.lists.referrers = Referrers::Missing;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.patches.count = None;
        preset.can = Abilities {
            parts: 2..=usize::MAX,
            public: "project/public",
            private: "project/private",
            referrers: false,
            ..preset.can
        };
        preset
    }
}

fn opaque(number: usize, _expires: u64) -> String {
    let product = "artifactregistry.googleapis.com";
    let document = json!({ "access_token": format!("ya29.{number}"), "commands": 1, "token_id": number.to_string(), "product": product });
    BASE64_STANDARD.encode(document.to_string())
}

/// A name of one part is refused before anything else.
fn short_name(ask: &Ask<'_>) -> Option<Reply> {
    let is_short = !ask.route.repository()?.contains('/');
    is_short.then(|| Reply::error(400, "NAME_INVALID", "invalid number of path components: 1"))
}

/// `manifest` by digest, all numbers in strings, and `child` for the repositories below.
fn more_than_tags(ask: &Ask<'_>) -> String {
    let name = ask.route.repository().unwrap_or_default();
    let listed = ask.registry.store().read(name, |repository| {
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

fn scopes(ask: &Ask<'_>) -> Vec<Scope> {
    match (ask.route.repository(), &ask.entry.method) {
        (Some(name), &http::Method::DELETE) => vec![Scope::repository(name, &["pull", "push"])],
        _ => distribution_scopes(ask),
    }
}

/// Only who comes without a credential is challenged; `quote` stands around the service.
fn refuse(denial: &Denial<'_>, quote: &str) -> Reply {
    if denial.why == Why::InsufficientScope {
        return forbidden(denial);
    }
    if denial.why != Why::NoCredential {
        return Reply::error(401, "UNAUTHORIZED", "authentication failed: No valid credential was supplied.");
    }
    let (realm, service) = (&denial.realm, &denial.service);
    let challenge = match denial.needs.first() {
        Some(scope) => {
            // A repository without an image gets one to speak of.
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

/// Who is known, or known to be nobody, and may not.
fn forbidden(denial: &Denial<'_>) -> Reply {
    let name = denial.needs.first().map_or("", |scope| &scope.name);
    let mut parts = name.splitn(3, '/');
    let (project, repository) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let resource = format!("projects/{project}/locations/us/repositories/{repository}");
    let permission = "artifactregistry.repositories.downloadArtifacts";
    let user = denial.ask.caller.as_ref().ok().and_then(|caller| caller.user().map(str::to_owned));
    let message = match user {
        Some(_) => format!(r#"Permission "{permission}" denied on resource "{resource}" (or it may not exist)"#),
        None => unauthenticated(),
    };
    Reply::error(403, "DENIED", &message)
}

/// What comes behind `permission` is not on record.
fn unauthenticated() -> String {
    "Unauthenticated request. Unauthenticated requests do not have permission \"artifactregistry.repositories.downloadArtifacts\""
        .to_owned()
}

/// One scope at most (containerd/containerd#4379), not an empty one (heroku/docker-registry-client#28; with which status
/// is not on record), and all of it. The catalog's is for everyone.
fn grant(ask: &TokenAsk<'_>) -> Result<Vec<Scope>, Reply> {
    if ask.scopes.len() > 1 {
        return Err(Reply::error(400, "UNSUPPORTED", "more than one scope"));
    }
    if query::value(&ask.entry.query, "scope").is_some_and(|scope| scope.is_empty()) {
        return Err(Reply::error(400, "UNSUPPORTED", "empty scope"));
    }
    let wanted: Vec<Scope> = ask.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    if wanted == ask.reduced() || wanted == [Scope::catalog()] {
        return Ok(wanted);
    }
    Err(Reply::error(403, "DENIED", &unauthenticated()))
}

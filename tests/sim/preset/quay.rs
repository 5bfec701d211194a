//! Quay.io, section 12 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{Ask, Denial, Route, Scope, TokenAsk, distribution_scopes};
use super::super::reply::Reply;
use super::{
    Abilities, Catalog, Delivery, Hop, LinkForm, Paging, Place, Preset, Referrers, TokenField, TokenPlace, TooMany,
    Untyped, WithoutFrom,
};

impl Preset {
    pub fn quay() -> Self {
        let mut preset = Self::plain("quay.test");
        preset.base = Arc::new(base);
        preset.gate.scopes = Arc::new(scopes);
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/v2/auth".into();
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.push_creates = true;
        preset.tokens.lifetime = Duration::from_secs(3600);
        preset.tokens.expires_in = None;
        preset.tokens.issuer = "quay".into();
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.issued_at = false;
        preset.tokens.post_refused = Some(Reply::new(405));
        preset.pull.untyped = Untyped::Schema1;
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(302, Place::Blobs)],
            valid_for: Duration::from_secs(600),
            head_allowed: false,
        };
        preset.pull.heads_stay = true;
        let paging = Paging {
            default: Some(100),
            most: Some(100),
            too_many: TooMany::Clamped,
            malformed: |_| Ok(1),
            sorted: false,
            link: LinkForm::LeadsWithN,
            ..Paging::plain()
        };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(Paging { link: LinkForm::Sealed, ..paging });
        preset.lists.referrers = Referrers::Missing;
        preset.push.status_prefix = "bytes=";
        // In which words is not on record.
        let sourceless = Reply::error_detail(400, "INVALID_REQUEST", "the source of the mount is missing", "{}");
        preset.push.mounts.without_from = WithoutFrom::Refused(sourceless);
        preset.push.deletes.blobs = Some(Reply::error(405, "UNSUPPORTED", "The operation is unsupported."));
        preset.can = Abilities { parts: 2..=2, delete_blobs: false, catalog: Catalog::Login, ..Abilities::plain() };
        preset
    }

    /// The 429 of the limiter in front.
    pub fn quay_throttled() -> Reply {
        Reply::nginx(429, "429 Too Many Requests")
    }
}

/// The challenge is on the 200 too.
fn base(ask: &Ask<'_>) -> Reply {
    let (realm, service) = (ask.registry.realm(ask.preset), ask.registry.service(ask.preset));
    Reply::new(200)
        .body("application/json", "true")
        .header("x-sparse-manifest-support", "true")
        .header("www-authenticate", format!(r#"Bearer realm="{realm}",service="{service}""#))
}

/// A delete is a push; nothing in a token opens the catalog, which is what the user may see.
fn scopes(ask: &Ask<'_>) -> Vec<Scope> {
    match (ask.route, &ask.entry.method) {
        (Route::Catalog, _) => Vec::new(),
        (route, &Method::DELETE) => {
            route.repository().map(|name| Scope::repository(name, &["push"])).into_iter().collect()
        }
        _ => distribution_scopes(ask),
    }
}

/// Every repository is challenged for `pull,push`, whatever is wanted there, and never with an `error`.
fn refuse(denial: &Denial<'_>) -> Reply {
    let mut challenge = format!(r#"Bearer realm="{}",service="{}""#, denial.realm, denial.service);
    let reply = match denial.ask.route.repository() {
        Some(name) => {
            challenge.extend([r#",scope="repository:"#, name, r#":pull,push""#]);
            Reply::error_detail(401, "UNAUTHORIZED", "access to the requested resource is not authorized", "{}")
        }
        None => Reply::new(401).body("application/json", "true"),
    };
    reply.header("www-authenticate", challenge)
}

/// `pull`, `push` and `*` of repositories are all it reads; what the user may not have is left out without a word.
fn grant(ask: &TokenAsk<'_>) -> Result<Vec<Scope>, Reply> {
    let readable = |text: &String| {
        let scope = Scope::parse(text);
        let known = |action: &String| matches!(action.as_str(), "pull" | "push" | "*");
        scope.is_some_and(|scope| scope.kind == "repository" && scope.actions.iter().all(known))
    };
    if !ask.scopes.iter().all(readable) {
        return Err(Reply::error_detail(400, "INVALID_REQUEST", "Unable to decode repository and actions", "{}"));
    }
    if ask.user.is_none() && ask.scopes.is_empty() {
        return Err(Reply::error_detail(
            401,
            "UNAUTHORIZED",
            "access to the requested resource is not authorized",
            "{}",
        ));
    }
    Ok(ask.reduced())
}

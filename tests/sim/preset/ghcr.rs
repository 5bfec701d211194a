//! GitHub Container Registry, after the transcripts of February 2024 (seed) and section 3 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::registry::{Ask, Denial, Route, Scope, TokenAsk, Why, distribution_scopes};
use super::super::reply::Reply;
use super::{
    Abilities, Deletes, Delivery, Hop, Limit, LinkForm, Locations, Mint, Paging, Place, Preset, Referrers, TokenField,
    TokenPlace,
};

const HEADERS: &[(&str, &str)] =
    &[("docker-distribution-api-version", "registry/2.0"), ("x-github-request-id", "1E51:2DB2E6:17EDE:3D83A:65C06864")];

/// Names no repository: what the challenge says when it does not know better.
const PLACEHOLDER: &str = "repository:user/image:pull";

impl Preset {
    pub fn ghcr() -> Self {
        let mut preset = Self::plain("ghcr.test");
        preset.headers = HEADERS;
        preset.oddities = Arc::new(oddities);
        // Not `{}`, as the specification wants.
        preset.base = Arc::new(|_| Reply::new(200).body("application/json", ""));
        preset.gate.refuse = Arc::new(refuse);
        // The encoded password is a token without any exchange.
        preset.gate.password_in_bearer = |token| String::from_utf8(BASE64_STANDARD.decode(token).ok()?).ok();
        preset.gate.scopes = Arc::new(scopes);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.headers = HEADERS;
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.wrong_login = denied();
        preset.tokens.post_refused = Some(unsupported());
        preset.tokens.mint = Mint::Ghcr;
        preset.tokens.expires_in = None;
        preset.tokens.issued_at = false;
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(300),
            head_allowed: false,
        };
        let paging = Paging { default: Some(100), sorted: false, ..Paging::plain() };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(Paging { sorted: true, link: LinkForm::EchoesN, chunked: true, ..paging });
        preset.lists.referrers = Referrers::GitHubPage;
        preset.push.locations = Locations::Singular;
        // ocx-sh/ocx#237 and oras-project/rust-oci-client#37.
        let message = "the request body is too large and exceeds the maximum permissible limit of 4.00MiB";
        preset.push.patches.most_ranged = Some(Limit::new(4 << 20, Reply::error(416, "SIZE_INVALID", message)));
        preset.push.deletes = Deletes::refused(&unsupported());
        preset.can = Abilities {
            login: Some(("toddysm", "ghp_toddysm")),
            parts: 2..=usize::MAX,
            public: "toddysm/python",
            private: "toddysm/private",
            ..Abilities::plain()
        }
        .undeletable();
        preset
    }
}

fn denied() -> Reply {
    Reply::error(403, "DENIED", "requested access to the resource is denied")
}

fn unsupported() -> Reply {
    Reply::error(405, "UNSUPPORTED", "The operation is unsupported.")
}

fn oddities(ask: &Ask<'_>) -> Option<Reply> {
    let has_token = ask.caller.as_ref().is_ok_and(|caller| !caller.is_anonymous());
    match ask.route {
        Route::Root => Some(Reply::new(200).html("<html><title>GitHub Packages</title></html>\n")),
        Route::BareBase if has_token => Some(Reply::new(404).text("404 page not found\n")),
        _ => None,
    }
}

/// The method decides nothing about deletes: they are refused whatever the token may do.
fn scopes(ask: &Ask<'_>) -> Vec<Scope> {
    match (ask.route.repository(), &ask.entry.method) {
        (Some(name), &http::Method::DELETE) => vec![Scope::repository(name, &["pull"])],
        _ => distribution_scopes(ask),
    }
}

fn refuse(denial: &Denial<'_>) -> Reply {
    let ask = denial.ask;
    let named = ask.route.repository().filter(|name| ask.registry.store().exists(name));
    let scope = match named {
        Some(name) if denial.why != Why::BasicRefused => format!("repository:{name}:pull"),
        _ => PLACEHOLDER.to_owned(),
    };
    let reply = match denial.why {
        Why::BasicRefused => Reply::error(401, "DENIED", "invalid token"),
        Why::InsufficientScope => return denied(),
        _ => Reply::error(401, "UNAUTHORIZED", "authentication required"),
    };
    // Never with an `error`, as far as the transcripts show.
    let challenge = format!(r#"Bearer realm="{}",service="{}",scope="{scope}""#, denial.realm, denial.service);
    reply.header("www-authenticate", challenge)
}

/// All or nothing, and only for names that could be repositories.
fn grant(ask: &TokenAsk<'_>) -> Result<Vec<Scope>, Reply> {
    let wanted: Vec<Scope> = ask.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    if wanted.iter().any(|scope| !scope.name.contains('/')) {
        return Err(Reply::error(400, "NAME_INVALID", "invalid repository name"));
    }
    let known = |scope: &Scope| scope.to_string() == PLACEHOLDER || ask.registry.store().exists(&scope.name);
    let owned = |scope: &Scope| ask.user.as_deref().is_some_and(|user| scope.name.starts_with(&format!("{user}/")));
    let full = |scope: &Scope| ask.reduced().contains(scope);
    let placeholder = |scope: &Scope| ask.user.is_some() && scope.to_string() == PLACEHOLDER;
    let granted = !wanted.is_empty()
        && wanted.iter().all(|scope| (known(scope) || owned(scope)) && (full(scope) || placeholder(scope)));
    if granted { Ok(wanted) } else { Err(denied()) }
}

//! Harbor, section 10 of registries.md. Projects are namespaces.

use std::sync::Arc;
use std::time::Duration;

use super::super::query;
use super::super::registry::{Ask, Caller, Denial, Route, Scope, TokenAsk, Why};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Expiry, Locations, Paging, Preset, Referrers, TokenField, TokenPlace};

/// The whole of what a member may: granted whatever was asked.
const MEMBER: [&str; 4] = ["pull", "push", "delete", "scanner-pull"];
const SERVICE: &str = "harbor-registry";
/// The system's administrator.
const ADMIN: &str = "admin";
const HEADERS: &[(&str, &str)] =
    &[("docker-distribution-api-version", "registry/2.0"), ("set-cookie", "sid=4f1c1e0b9d6a; Path=/; HttpOnly")];

impl Preset {
    pub fn harbor() -> Self {
        let mut preset = Self::plain("harbor.test");
        preset.title_case = true;
        preset.headers = HEADERS;
        preset.oddities = Arc::new(for_users_only);
        preset.gate.basic = true;
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/service/token".into();
        preset.tokens.service = Some(SERVICE.to_owned());
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.wrong_login = Reply::new(401);
        preset.tokens.post_refused = Some(Reply::new(405));
        preset.tokens.lifetime = Duration::from_secs(1800);
        preset.tokens.expires_in = Some(1800);
        preset.tokens.issuer = "harbor-token-issuer".into();
        preset.tokens.fields = vec![TokenField::Full("token"), TokenField::Empty("access_token")];
        preset.pull.missing_manifest = Arc::new(not_found);
        preset.lists.catalog = Some(Paging { unknown_last: Some(unknown_last), ..Paging::plain() });
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.deletes.tags = Some(Reply::error(400, "UNSUPPORTED", "the reference must be a digest"));
        preset.can = Abilities {
            parts: 2..=usize::MAX,
            delete_tags: false,
            catalog: Catalog::AdminByBasic { user: ADMIN },
            referrers: true,
            expiry: Some(Expiry::OtherScheme),
            ..Abilities::plain()
        };
        preset
    }
}

/// `/v2/` is for users, not for the tokens of nobody; the catalog is for the administrator, by Basic.
fn for_users_only(ask: &Ask<'_>) -> Option<Reply> {
    let caller = ask.caller.as_ref().ok().filter(|caller| !caller.is_anonymous())?;
    let refused = match ask.route {
        Route::BareBase | Route::Base => caller.user().is_none(),
        Route::Catalog => !matches!(caller, Caller::User(user) if user == ADMIN),
        _ => false,
    };
    refused.then(|| ask.registry.refusal(ask, Why::InsufficientScope, Vec::new()))
}

fn unknown_last() -> Reply {
    Reply::error(400, "BAD_REQUEST", "the last repository is not found")
}

/// A project is there as soon as it has a repository.
fn has_project(ask_for: &str, names: &[String]) -> bool {
    let Some((project, _)) = ask_for.split_once('/') else { return false };
    names.iter().any(|name| name.split('/').next() == Some(project))
}

/// The realm is made of the request's `Host`; whoever sent any Authorization is asked for Basic; who asks for a project
/// that is not there is asked for nothing, in so many words.
fn refuse(denial: &Denial<'_>) -> Reply {
    let entry = denial.ask.entry;
    let reads = matches!(entry.method, http::Method::GET | http::Method::HEAD);
    let message = match denial.needs.first() {
        Some(_) if !denial.authorized() && reads => {
            format!("authorize header needed to send {} to repository", entry.method)
        }
        Some(scope) => {
            format!("unauthorized to access repository: {}, action: {}", scope.name, scope.actions.join(","))
        }
        None => "unauthorized".to_owned(),
    };
    let reply = Reply::error(401, "UNAUTHORIZED", &message);
    if denial.authorized() || *denial.ask.route == Route::Catalog {
        return reply.header("www-authenticate", r#"Basic realm="harbor""#);
    }
    let names = denial.ask.registry.store().names();
    if denial.ask.route.repository().is_some_and(|name| !has_project(name, &names)) {
        return reply.line("www-authenticate", "");
    }
    let mut challenge = format!(r#"Bearer realm="http://{}/service/token",service="{SERVICE}""#, denial.host());
    challenge.extend(denial.scope().map(|scope| format!(r#",scope="{scope}""#)));
    reply.header("www-authenticate", challenge)
}

/// Everything the user may in the project, not what was asked.
fn grant(ask: &TokenAsk<'_>) -> Result<Vec<Scope>, Reply> {
    let service = query::value(&ask.entry.query, "service").unwrap_or_default();
    if service != SERVICE {
        return Err(Reply::new(400).text(&format!("Unable to handle service: {service}")));
    }
    if ask.user.is_none() && ask.scopes.is_empty() {
        return Err(Reply::new(401));
    }
    let store = ask.registry.store();
    let names = store.names();
    let wanted = ask.scopes.iter().filter_map(|scope| Scope::parse(scope));
    let granted = wanted.map(|scope| match &*scope.kind {
        "repository" if has_project(&scope.name, &names) => {
            let whole = Scope { actions: MEMBER.map(str::to_owned).to_vec(), ..scope };
            ask.preset.policy.reduce(store, ask.user.as_deref(), &whole)
        }
        "registry" if ask.user.as_deref() == Some(ADMIN) => scope,
        _ => Scope { actions: Vec::new(), ..scope },
    });
    Ok(granted.collect())
}

/// Not the code of the specification.
fn not_found(ask: &Ask<'_>) -> Reply {
    let name = ask.route.repository().unwrap_or_default();
    let reference = ask.entry.path.rsplit('/').next().unwrap_or_default();
    Reply::error(404, "NOT_FOUND", &format!("artifact {name}:{reference} not found"))
}

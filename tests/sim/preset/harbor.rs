//! Harbor, section 10 of registries.md. Projects are namespaces.

use std::sync::Arc;
use std::time::Duration;

use http::header;

use super::super::query;
use super::super::registry::{Ask, Denial, Route, Scope, TokenAsk};
use super::super::reply::Reply;
use super::{Locations, Preset, Referrers, TokenField, TokenPlace};

/// The whole of what a member may: granted whatever was asked.
const MEMBER: [&str; 4] = ["pull", "push", "delete", "scanner-pull"];
const SERVICE: &str = "harbor-registry";

impl Preset {
    pub fn harbor() -> Self {
        let mut preset = Self::plain("harbor.test");
        preset.title_case = true;
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
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.deletes.tags = Some(Reply::error(400, "UNSUPPORTED", "the reference must be a digest"));
        preset
    }
}

/// The realm is made of the request's `Host`; whoever sent any Authorization is asked for Basic.
fn refuse(denial: &Denial<'_>) -> Reply {
    let entry = denial.ask.entry;
    let message = match denial.needs.first() {
        Some(scope) => {
            format!("unauthorized to access repository: {}, action: {}", scope.name, scope.actions.join(","))
        }
        None => "unauthorized".to_owned(),
    };
    let reply = Reply::error(401, "UNAUTHORIZED", &message);
    if entry.headers.contains_key(header::AUTHORIZATION) || *denial.ask.route == Route::Catalog {
        return reply.header("www-authenticate", r#"Basic realm="harbor""#);
    }
    let host = entry.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut challenge = format!(r#"Bearer realm="http://{host}/service/token",service="{SERVICE}""#);
    if !denial.needs.is_empty() {
        let scopes: Vec<String> = denial.needs.iter().map(ToString::to_string).collect();
        challenge.extend([r#",scope=""#, &scopes.join(" "), r#"""#]);
    }
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
    let wanted = ask.scopes.iter().filter_map(|scope| Scope::parse(scope));
    let whole = wanted.map(|scope| Scope { actions: MEMBER.map(str::to_owned).to_vec(), ..scope });
    let store = ask.registry.store();
    Ok(whole.map(|scope| ask.preset.policy.reduce(store, ask.user.as_deref(), &scope)).collect())
}

/// Not the code of the specification.
fn not_found(ask: &Ask<'_>) -> Reply {
    let name = ask.route.repository().unwrap_or_default();
    let reference = ask.entry.path.rsplit('/').next().unwrap_or_default();
    Reply::error(404, "NOT_FOUND", &format!("artifact {name}:{reference} not found"))
}

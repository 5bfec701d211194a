//! Harbor, section 10 of registries.md. Projects are namespaces.

use std::sync::Arc;
use std::time::Duration;

use super::super::query;
use super::super::registry::{ApiRequest, Caller, Denial, DenialReason, Scope, TokenRequest};
use super::super::reply::Reply;
use super::super::route::Route;
use super::{Capabilities, Catalog, ExpiryReply, Locations, Paging, Preset, Referrers, TokenField, TokenHost};

/// The actions of a project member. A token grants all of them, whatever was requested.
const MEMBER: [&str; 4] = ["pull", "push", "delete", "scanner-pull"];
const SERVICE: &str = "harbor-registry";
/// The user name of the system administrator.
const ADMIN: &str = "admin";
const HEADERS: &[(&str, &str)] =
    &[("docker-distribution-api-version", "registry/2.0"), ("set-cookie", "sid=4f1c1e0b9d6a; Path=/; HttpOnly")];

impl Preset {
    pub fn harbor() -> Self {
        let mut preset = Self::plain("harbor.test");
        preset.title_case_headers = true;
        preset.headers = HEADERS;
        preset.early_reply = Arc::new(for_users_only);
        preset.access.accepts_basic = true;
        preset.access.reject = Arc::new(reject);
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.path = "/service/token".into();
        preset.tokens.service = Some(SERVICE.to_owned());
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.bad_credential_reply = Reply::new(401);
        preset.tokens.post_rejection = Some(Reply::new(405));
        preset.tokens.lifetime = Duration::from_secs(1800);
        preset.tokens.expires_in = Some(1800);
        preset.tokens.issuer = "harbor-token-issuer".into();
        preset.tokens.reply_fields = vec![TokenField::Full("token"), TokenField::Empty("access_token")];
        preset.pull.missing_manifest = Arc::new(not_found);
        preset.lists.catalog = Some(Paging { unknown_last: Some(unknown_last), ..Paging::plain() });
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.deletes.tags = Some(Reply::error(400, "UNSUPPORTED", "the reference must be a digest"));
        preset.capabilities = Capabilities {
            name_components: 2..=usize::MAX,
            delete_tags: false,
            catalog: Catalog::AdminByBasic { user: ADMIN },
            referrers: true,
            expiry: Some(ExpiryReply::OtherScheme),
            ..Capabilities::plain()
        };
        preset
    }
}

/// Denies `/v2/` to anonymous tokens, and the catalog to everyone but the administrator with Basic.
fn for_users_only(request: &ApiRequest<'_>) -> Option<Reply> {
    let caller = request.caller.as_ref().ok().filter(|caller| !caller.is_anonymous())?;
    let denied = match request.route {
        Route::BareBase | Route::Base => caller.user().is_none(),
        Route::Catalog => !matches!(caller, Caller::User(user) if user == ADMIN),
        _ => false,
    };
    denied.then(|| request.registry.denial_reply(request, DenialReason::InsufficientScope, Vec::new()))
}

fn unknown_last() -> Reply {
    Reply::error(400, "BAD_REQUEST", "the last repository is not found")
}

/// Whether the project of a repository exists: it does if it has any repository.
fn has_project(repository: &str, names: &[String]) -> bool {
    let Some((project, _)) = repository.split_once('/') else { return false };
    names.iter().any(|name| name.split('/').next() == Some(project))
}

/// The realm is built from the request's `Host`. A request with an Authorization header, or for the catalog, gets a
/// Basic challenge; any other request for a project that does not exist gets an empty challenge.
fn reject(denial: &Denial<'_>) -> Reply {
    let entry = denial.request.entry;
    let reads = matches!(entry.method, http::Method::GET | http::Method::HEAD);
    let message = match denial.required.first() {
        Some(_) if !denial.had_authorization() && reads => {
            format!("authorize header needed to send {} to repository", entry.method)
        }
        Some(scope) => {
            format!("unauthorized to access repository: {}, action: {}", scope.name, scope.actions.join(","))
        }
        None => "unauthorized".to_owned(),
    };
    let reply = Reply::error(401, "UNAUTHORIZED", &message);
    if denial.had_authorization() || *denial.request.route == Route::Catalog {
        return reply.header("www-authenticate", r#"Basic realm="harbor""#);
    }
    let names = denial.request.registry.store().names();
    if denial.request.route.repository().is_some_and(|name| !has_project(name, &names)) {
        return reply.append_header("www-authenticate", "");
    }
    let mut challenge = format!(r#"Bearer realm="http://{}/service/token",service="{SERVICE}""#, denial.host());
    challenge.extend(denial.scope().map(|scope| format!(r#",scope="{scope}""#)));
    reply.header("www-authenticate", challenge)
}

/// Grants everything the user may do in the project, not what was requested. Rejects another service, and an anonymous
/// request without a scope.
fn grant(request: &TokenRequest<'_>) -> Result<Vec<Scope>, Reply> {
    let service = query::value(&request.entry.query, "service").unwrap_or_default();
    if service != SERVICE {
        return Err(Reply::new(400).text(&format!("Unable to handle service: {service}")));
    }
    if request.user.is_none() && request.scopes.is_empty() {
        return Err(Reply::new(401));
    }
    let store = request.registry.store();
    let names = store.names();
    let requested = request.scopes.iter().filter_map(|scope| Scope::parse(scope));
    let granted = requested.map(|scope| match &*scope.kind {
        "repository" if has_project(&scope.name, &names) => {
            let everything = Scope { actions: MEMBER.map(str::to_owned).to_vec(), ..scope };
            request.preset.policy.permitted_part(store, request.user.as_deref(), &everything)
        }
        "registry" if request.user.as_deref() == Some(ADMIN) => scope,
        _ => Scope { actions: Vec::new(), ..scope },
    });
    Ok(granted.collect())
}

/// The reply to a missing manifest. Its code is `NOT_FOUND`, where the specification requires `MANIFEST_UNKNOWN`.
fn not_found(request: &ApiRequest<'_>) -> Reply {
    let name = request.route.repository().unwrap_or_default();
    let reference = request.entry.path.rsplit('/').next().unwrap_or_default();
    Reply::error(404, "NOT_FOUND", &format!("artifact {name}:{reference} not found"))
}

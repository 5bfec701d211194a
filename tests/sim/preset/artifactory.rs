//! Artifactory, section 9 of registries.md: one Docker repository under its own host (`REPO.HOST`) or in the path.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{ApiRequest, Denial, Policy, Scope, TokenRequest};
use super::super::reply::Reply;
use super::{
    Capabilities, Catalog, Delivery, ExpiryReply, Limit, LinkForm, MonolithicPost, Preset, TokenFormat, TokenHost,
};

const HEADERS: &[(&str, &str)] = &[
    ("docker-distribution-api-version", "registry/2.0"),
    ("x-jfrog-version", "Artifactory/7.111.4 81104900"),
    ("x-artifactory-id", "7a1b3c5d7e9f:-2b4d6f8a:18d5a2b3c4d:-8000"),
    ("set-cookie", "AWSALB=1; Path=/"),
];
/// The key of the Docker repository, which contains all repositories of the distribution API.
const KEY: &str = "docker-local";

impl Preset {
    pub fn artifactory() -> Self {
        let mut preset = Self::plain("docker-local.test");
        preset.title_case_headers = true;
        preset.headers = HEADERS;
        preset.policy = Policy::Users;
        preset.access.accepts_basic = true;
        preset.access.reject = Arc::new(|denial| reject(denial, ""));
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.path = format!("/artifactory/api/docker/{KEY}/v2/token");
        preset.tokens.headers = HEADERS;
        preset.tokens.post_rejection = Some(Reply::error(401, "UNAUTHORIZED", "authentication required"));
        preset.tokens.format = TokenFormat::Opaque;
        preset.tokens.lifetime = Duration::from_secs(3600);
        preset.tokens.reply_with_only("token");
        preset.tokens.expires_in = Some(3600);
        preset.pull.missing_manifest = Arc::new(forbidden);
        // An upload may only be a POST, PATCHes and an empty PUT (RTFACT-19344); the reply to anything else is not
        // documented.
        let monolithic = Reply::error(400, "UNSUPPORTED", "monolithic uploads are not supported");
        preset.push.put_limit = Some(Limit::new(0, monolithic.clone()));
        preset.push.monolithic_post = MonolithicPost::Rejected(monolithic);
        preset.capabilities =
            Capabilities { catalog: Catalog::AnyUser, expiry: Some(ExpiryReply::Challenge), ..Capabilities::plain() };
        preset
    }

    /// Artifactory with the key of the Docker repository in the path: names start with the key, but scopes and links do
    /// not (containerd/containerd#6339, RTFACT-18971). Blobs are in a cloud's blob store.
    pub fn artifactory_by_path() -> Self {
        let mut preset = Self::artifactory();
        preset.host = "artifactory.test".into();
        preset.access.reject = Arc::new(|denial| reject(denial, KEY));
        preset.tokens.grant = Arc::new(|request| Ok(granted(request)));
        preset.pull.blobs = Delivery::to_blob_store(302, Duration::from_secs(1200));
        preset.pull.head_served_directly = true;
        preset.lists.tags.link = LinkForm::WithoutFirstComponent;
        preset.capabilities = Capabilities {
            name_components: 2..=usize::MAX,
            public_repository: "docker-local/acme/public",
            private_repository: "docker-local/acme/private",
            ..preset.capabilities
        };
        preset
    }
}

/// The challenge of a HEAD has no scope (RTFACT-20170). The realm is built from the request's `Host` unless it is configured.
fn reject(denial: &Denial<'_>, key: &str) -> Reply {
    let scopes: Vec<String> = denial.required.iter().map(|scope| without_key(scope, key).to_string()).collect();
    let named = denial.request.entry.method != Method::HEAD && !scopes.is_empty();
    let tokens = &denial.request.preset.tokens;
    let realm = tokens.realm.clone().unwrap_or_else(|| format!("http://{}{}", denial.host(), tokens.path));
    let mut challenge = format!(r#"Bearer realm="{realm}",service="{}""#, denial.host());
    if named {
        challenge.extend([r#",scope=""#, &scopes.join(" "), r#"""#]);
    }
    Reply::error(401, "UNAUTHORIZED", "The client does not have permission to the requested resource.")
        .header("content-type", "application/json;charset=ISO-8859-1")
        .header("www-authenticate", challenge)
}

fn without_key(scope: &Scope, key: &str) -> Scope {
    let rest = scope.name.strip_prefix(key).and_then(|rest| rest.strip_prefix('/'));
    Scope { name: rest.unwrap_or(&scope.name).to_owned(), ..scope.clone() }
}

/// Grants what the user may do. Names in scopes are relative to the Docker repository, without its key.
fn granted(request: &TokenRequest<'_>) -> Vec<Scope> {
    let requested = request.scopes.iter().filter_map(|scope| Scope::parse(scope));
    let with_key = requested.map(|scope| match &*scope.kind {
        "repository" => Scope { name: format!("{KEY}/{}", scope.name), ..scope },
        _ => scope,
    });
    let store = request.registry.store();
    let reduced = with_key.map(|scope| request.preset.policy.permitted_part(store, request.user.as_deref(), &scope));
    reduced.filter(|scope| !scope.actions.is_empty()).collect()
}

/// The reply to a missing manifest, which is the same as to a forbidden one (RTFACT-13797).
fn forbidden(_: &ApiRequest<'_>) -> Reply {
    Reply::error(403, "DENIED", "The client does not have permission to the requested resource.")
}

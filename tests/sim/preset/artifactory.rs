//! Artifactory, section 9 of registries.md: one Docker repository under its own host (`REPO.HOST`), or in the path.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{Ask, Denial, Policy, Scope, TokenAsk};
use super::super::reply::Reply;
use super::{
    Abilities, Catalog, Delivery, Expiry, Hop, Limit, LinkForm, Mint, Place, Preset, SinglePost, TokenField,
    TokenPlace, ecr,
};

const HEADERS: &[(&str, &str)] = &[
    ("docker-distribution-api-version", "registry/2.0"),
    ("x-jfrog-version", "Artifactory/7.111.4 81104900"),
    ("x-artifactory-id", "7a1b3c5d7e9f:-2b4d6f8a:18d5a2b3c4d:-8000"),
    ("set-cookie", "AWSALB=1; Path=/"),
];
/// The repository's key.
const KEY: &str = "docker-local";

impl Preset {
    pub fn artifactory() -> Self {
        let mut preset = Self::plain("docker-local.test");
        preset.title_case = true;
        preset.headers = HEADERS;
        preset.policy = Policy::Users;
        preset.gate.basic = true;
        preset.gate.refuse = Arc::new(|denial| refuse(denial, ""));
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = format!("/artifactory/api/docker/{KEY}/v2/token");
        preset.tokens.headers = HEADERS;
        preset.tokens.post_refused = Some(Reply::error(401, "UNAUTHORIZED", "authentication required"));
        preset.tokens.mint = Mint::Opaque;
        preset.tokens.lifetime = Duration::from_secs(3600);
        preset.tokens.expires_in = Some(3600);
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.issued_at = false;
        preset.pull.missing_manifest = Arc::new(forbidden);
        // POST, PATCH, empty PUT: nothing else (RTFACT-19344); how it is refused is not on record.
        let monolithic = Reply::error(400, "UNSUPPORTED", "monolithic uploads are not supported");
        preset.push.most_in_put = Some(Limit::new(0, monolithic.clone()));
        preset.push.single_post = SinglePost::Refused(monolithic);
        preset.can = Abilities { catalog: Catalog::Login, expiry: Some(Expiry::Challenge), ..Abilities::plain() };
        preset
    }

    /// Names begin with the repository's key, which scopes and links do not repeat (containerd/containerd#6339,
    /// RTFACT-18971). Blobs are in a cloud's store.
    pub fn artifactory_by_path() -> Self {
        let mut preset = Self::artifactory();
        preset.host = "artifactory.test".into();
        preset.gate.refuse = Arc::new(|denial| refuse(denial, KEY));
        preset.tokens.grant = Arc::new(|ask| Ok(granted(ask)));
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(302, Place::Blobs)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.pull.heads_stay = true;
        preset.lists.tags.link = LinkForm::Unprefixed;
        preset.can = Abilities {
            parts: 2..=usize::MAX,
            public: "docker-local/acme/public",
            private: "docker-local/acme/private",
            ..preset.can
        };
        preset
    }
}

/// HEAD is challenged without a scope (RTFACT-20170). The realm is made of the request's `Host`, unless it is given.
fn refuse(denial: &Denial<'_>, key: &str) -> Reply {
    let scopes: Vec<String> = denial.needs.iter().map(|scope| without_key(scope, key).to_string()).collect();
    let named = denial.ask.entry.method != Method::HEAD && !scopes.is_empty();
    let tokens = &denial.ask.preset.tokens;
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

/// Names in scopes are those within the repository.
fn granted(ask: &TokenAsk<'_>) -> Vec<Scope> {
    let wanted = ask.scopes.iter().filter_map(|scope| Scope::parse(scope));
    let whole = wanted.map(|scope| match &*scope.kind {
        "repository" => Scope { name: format!("{KEY}/{}", scope.name), ..scope },
        _ => scope,
    });
    let store = ask.registry.store();
    let reduced = whole.map(|scope| ask.preset.policy.reduce(store, ask.user.as_deref(), &scope));
    reduced.filter(|scope| !scope.actions.is_empty()).collect()
}

/// RTFACT-13797: a manifest that is not there is one that may not be read.
fn forbidden(_: &Ask<'_>) -> Reply {
    Reply::error(403, "DENIED", "The client does not have permission to the requested resource.")
}

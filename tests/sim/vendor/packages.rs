//! GitHub's REST API for packages (docs.github.com, REST API endpoints for packages, version 2022-11-28).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use http::Method;
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::ledger::Role;
use super::super::registry::Registry;
use super::super::reply::Reply;
use super::super::server::Server;
use super::super::simulation::Sim;
use super::super::{lock, query};
use super::{LEDGER_NAME, bearer, table_line};

/// What an owner of packages is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    User,
    Organization,
}

/// A running API for the packages of one registry. The password of a registry's user is its personal access token.
pub struct PackagesApi {
    server: Arc<Server>,
    state: Arc<State>,
}

struct State {
    registry: Registry,
    /// By token: its scopes.
    tokens: Mutex<BTreeMap<String, Vec<&'static str>>>,
    /// Users that are not in the map do not exist.
    owners: Mutex<BTreeMap<String, Owner>>,
    /// The versions' ids, in the order in which the API saw them first. Newer ones are greater.
    ids: Mutex<Vec<(String, String)>>,
    /// The largest page that is served; the real one is 100.
    max_page: Mutex<usize>,
}

impl PackagesApi {
    pub async fn start(sim: &Sim, registry: &Registry) -> Self {
        let state = Arc::new(State {
            registry: registry.clone(),
            tokens: Mutex::default(),
            owners: Mutex::default(),
            ids: Mutex::default(),
            max_page: Mutex::new(100),
        });
        let handling = Arc::clone(&state);
        let handler = Arc::new(move |call: Call| {
            let state = Arc::clone(&handling);
            async move { state.reply(&call) }.boxed()
        });
        let server = sim.serve("api.github.test", Role::VendorApi(LEDGER_NAME), handler).await;
        Self { server, state }
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn table_line(&self) -> String {
        table_line(&self.server)
    }

    /// Adds a token with these scopes.
    pub fn add_token(&self, token: &str, scopes: &[&'static str]) {
        lock(&self.state.tokens).insert(token.to_owned(), scopes.to_vec());
    }

    pub fn add_owner(&self, name: &str, owner: Owner) {
        lock(&self.state.owners).insert(name.to_owned(), owner);
    }

    /// Serves pages of at most so many versions.
    pub fn limit_pages(&self, max: usize) {
        *lock(&self.state.max_page) = max;
    }
}

impl State {
    fn reply(&self, call: &Call) -> Reply {
        // GitHub rejects a request without a User-Agent, and wants its version and media type.
        if call.header("user-agent").is_none() {
            return message(403, "Request forbidden by administrative rules.");
        }
        if call.header("x-github-api-version") != Some("2022-11-28") {
            return message(400, "the request has no API version, or an unknown one");
        }
        let Some(scopes) = bearer(call).and_then(|token| lock(&self.tokens).get(&token).cloned()) else {
            return message(401, "Bad credentials");
        };
        let shown = scopes.join(", ");
        let mut reply = self.authorized(call, &scopes);
        if shown.is_empty() {
            reply.headers.insert("x-oauth-scopes", http::HeaderValue::from_static(""));
        } else {
            reply = reply.header("x-oauth-scopes", &shown);
        }
        reply
    }

    fn authorized(&self, call: &Call, scopes: &[&str]) -> Reply {
        let segments: Vec<&str> = call.entry.path.trim_start_matches('/').split('/').collect();
        let [kind @ ("orgs" | "users"), owner, "packages", "container", package, "versions", rest @ ..] = &segments[..]
        else {
            return message(404, "Not Found");
        };
        let expected = if *kind == "orgs" { Owner::Organization } else { Owner::User };
        if lock(&self.owners).get(*owner) != Some(&expected) {
            return message(404, "Not Found");
        }
        let reads = scopes.iter().any(|scope| ["read:packages", "write:packages"].contains(scope));
        if !reads {
            return message(403, "You need at least read:packages scope to list package versions.");
        }
        // A slash in the name of a package is encoded; without that the path has too many segments.
        let name = format!("{owner}/{}", query::decode(package));
        if !self.registry.store().exists(&name) {
            return message(404, "Package not found.");
        }
        match (&call.entry.method, rest) {
            (&Method::GET, []) => self.versions(call, &name),
            (&Method::DELETE, [id]) if scopes.contains(&"delete:packages") => self.delete(&name, id),
            // The API hides the version from a token that may not delete it.
            (&Method::DELETE, [_]) => message(404, "Package not found."),
            _ => message(404, "Not Found"),
        }
    }

    fn versions(&self, call: &Call, name: &str) -> Reply {
        let number = |key, default: usize| {
            call.entry.query_value(key).map_or(default, |text| text.parse().unwrap_or(default)).max(1)
        };
        let (size, page) = (number("per_page", 30).min(*lock(&self.max_page)), number("page", 1));
        let mut versions = self.all(name);
        versions.reverse();
        let start = (page - 1) * size;
        let shown: Vec<&Value> = versions.iter().skip(start).take(size).collect();
        let reply = Reply::new(200).body("application/json; charset=utf-8", json!(shown).to_string());
        if start + size >= versions.len() {
            return reply;
        }
        let url = format!("https://api.github.com{}?per_page={size}&page=", call.entry.path);
        let last = versions.len().div_ceil(size);
        reply.header("link", format!(r#"<{url}{}>; rel="next", <{url}{last}>; rel="last""#, page + 1))
    }

    /// The versions of a package, oldest first.
    fn all(&self, name: &str) -> Vec<Value> {
        let manifests = self.registry.store().read(name, |repository| {
            let tags = |digest: &String| -> Vec<String> {
                let tagged = repository.tags.iter().filter(|(_, other)| other == digest);
                tagged.map(|(tag, _)| tag.clone()).collect()
            };
            repository.manifests.keys().map(|digest| (digest.clone(), tags(digest))).collect::<Vec<_>>()
        });
        let mut ids = lock(&self.ids);
        for (digest, _) in manifests.iter().flatten() {
            if !ids.iter().any(|known| *known == (name.to_owned(), digest.clone())) {
                ids.push((name.to_owned(), digest.clone()));
            }
        }
        let manifests: BTreeMap<String, Vec<String>> = manifests.unwrap_or_default().into_iter().collect();
        let own = ids.iter().enumerate().filter(|(_, (package, _))| package == name);
        own.filter_map(|(number, (_, digest))| {
            let tags = manifests.get(digest)?;
            let metadata = json!({ "package_type": "container", "container": { "tags": tags } });
            Some(json!({ "id": 1000 + number, "name": digest, "metadata": metadata }))
        })
        .collect()
    }

    fn delete(&self, name: &str, id: &str) -> Reply {
        let versions = self.all(name);
        let Some(version) = versions.iter().find(|version| version["id"].as_u64() == id.parse().ok()) else {
            return message(404, "Package version not found.");
        };
        let has_tags =
            |version: &&Value| version["metadata"]["container"]["tags"].as_array().is_some_and(|tags| !tags.is_empty());
        if has_tags(&version) && versions.iter().filter(has_tags).count() == 1 {
            return message(
                400,
                "You cannot delete the last tagged version of a package. You must delete the package instead.",
            );
        }
        let digest = version["name"].as_str().unwrap_or_default();
        self.registry.store().write(name, |repository| repository.delete_manifest(digest));
        Reply::new(204)
    }
}

/// `{"message":"…","documentation_url":"…","status":"404"}`
fn message(status: u16, text: &str) -> Reply {
    let document = json!({
        "message": text, "documentation_url": "https://docs.github.com/rest/packages/packages", "status": status.to_string(),
    });
    Reply::new(status).body("application/json; charset=utf-8", document.to_string())
}

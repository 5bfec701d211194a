//! Docker Hub's own API (docs.docker.com, Docker Hub API reference; docker/hub-tool for the organizations).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use http::Method;
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::clock::Clock;
use super::super::cloud::unsigned_jwt;
use super::super::ledger::Role;
use super::super::registry::Registry;
use super::super::reply::Reply;
use super::super::server::Server;
use super::super::simulation::Sim;
use super::super::{lock, query};
use super::{LEDGER_NAME, bearer, table_line};

/// How long an access token lives.
const LIFETIME: Duration = Duration::from_secs(600);

/// A running API for the repositories and users of one registry.
pub struct HubApi {
    server: Arc<Server>,
    state: Arc<State>,
}

struct State {
    registry: Registry,
    clock: Clock,
    /// By user: its organizations. A user that is not in the map may not list them.
    organizations: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// By access token: its user and when it ends, in Unix time.
    tokens: Mutex<BTreeMap<String, (String, u64)>>,
    /// Whether tokens do not say when they end.
    hides_lifetime: AtomicBool,
}

impl HubApi {
    pub async fn start(sim: &Sim, registry: &Registry) -> Self {
        let state = Arc::new(State {
            registry: registry.clone(),
            clock: sim.clock(),
            organizations: Mutex::default(),
            tokens: Mutex::default(),
            hides_lifetime: AtomicBool::new(false),
        });
        let handling = Arc::clone(&state);
        let handler = Arc::new(move |call: Call| {
            let state = Arc::clone(&handling);
            async move { state.reply(call).await }.boxed()
        });
        let server = sim.serve("api.hub.test", Role::VendorApi(LEDGER_NAME), handler).await;
        Self { server, state }
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn table_line(&self) -> String {
        table_line(&self.server)
    }

    /// Lets the user list its organizations, which are these.
    pub fn set_organizations(&self, user: &str, organizations: &[&str]) {
        let names = organizations.iter().map(ToString::to_string).collect();
        lock(&self.state.organizations).insert(user.to_owned(), names);
    }

    /// Issues access tokens that do not say when they end.
    pub fn hide_lifetime(&self) {
        self.state.hides_lifetime.store(true, Ordering::Relaxed);
    }

    /// Makes every access token invalid.
    pub fn revoke_tokens(&self) {
        lock(&self.state.tokens).clear();
    }
}

impl State {
    async fn reply(&self, mut call: Call) -> Reply {
        let path = call.entry.path.clone();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (&call.entry.method.clone(), &segments[..]) {
            (&Method::POST, ["v2", "auth", "token"]) => self.log_in(&mut call).await,
            (&Method::GET, ["v2", "user", "orgs"]) => match self.user(&call) {
                Some(user) => self.organizations(&call, &user),
                None => unauthorized(),
            },
            (&Method::GET, ["v2", "namespaces", namespace, "repositories"]) => match self.user(&call) {
                Some(user) => self.repositories(&call, namespace, &user),
                None => unauthorized(),
            },
            _ => Reply::new(404).json(r#"{"message":"object not found","errinfo":{}}"#),
        }
    }

    /// An access token for `identifier` and `secret`: password, personal or organization access token.
    async fn log_in(&self, call: &mut Call) -> Reply {
        let is_json = call.header("content-type") == Some("application/json");
        let document: Value = serde_json::from_slice(&call.read().await).unwrap_or_default();
        let (Some(user), Some(secret)) = (document["identifier"].as_str(), document["secret"].as_str()) else {
            return Reply::new(400).json(r#"{"message":"bad request"}"#);
        };
        if !is_json || !self.registry.users().has_password(user, secret) {
            return Reply::new(401).json(r#"{"message":"Incorrect authentication credentials","errinfo":{}}"#);
        }
        let (now, mut tokens) = (self.clock.unix(), lock(&self.tokens));
        let mut claims = json!({ "sub": user, "iat": now, "jti": tokens.len() });
        if !self.hides_lifetime.load(Ordering::Relaxed) {
            claims["exp"] = (now + LIFETIME.as_secs()).into();
        }
        let token = unsigned_jwt(&claims);
        tokens.insert(token.clone(), (user.to_owned(), now + LIFETIME.as_secs()));
        Reply::new(200).json(json!({ "access_token": token }))
    }

    fn user(&self, call: &Call) -> Option<String> {
        let token = bearer(call)?;
        let (user, end) = lock(&self.tokens).get(&token)?.clone();
        (self.clock.unix() < end).then_some(user)
    }

    fn organizations(&self, call: &Call, user: &str) -> Reply {
        let Some(names) = lock(&self.organizations).get(user).cloned() else {
            return Reply::new(403).json(r#"{"message":"access denied"}"#);
        };
        page(
            call,
            &names.iter().map(|name| json!({ "orgname": name, "full_name": "", "type": "Org" })).collect::<Vec<_>>(),
        )
    }

    /// The repositories of a namespace that the user may see, the latest first unless `ordering=name`.
    fn repositories(&self, call: &Call, namespace: &str, user: &str) -> Reply {
        let is_own = namespace == user.to_lowercase()
            || lock(&self.organizations).get(user).is_some_and(|names| names.contains(namespace));
        let mut names: Vec<String> = Vec::new();
        for name in self.registry.store().names() {
            let is_public = self.registry.store().read(&name, |repository| repository.public).unwrap_or_default();
            if let Some(rest) = name.strip_prefix(&format!("{namespace}/"))
                && (is_own || is_public)
            {
                names.push(rest.to_owned());
            }
        }
        if names.is_empty() && !is_own {
            return Reply::new(404).json(r#"{"message":"object not found","errinfo":{}}"#);
        }
        if call.entry.query_value("ordering").as_deref() != Some("name") {
            names.reverse();
        }
        let private = |name: &str| {
            let full = format!("{namespace}/{name}");
            !self.registry.store().read(&full, |repository| repository.public).unwrap_or_default()
        };
        let results = names.iter().map(|name| {
            json!({ "name": name, "namespace": namespace, "repository_type": "image", "is_private": private(name) })
        });
        page(call, &results.collect::<Vec<_>>())
    }
}

/// `{"count","next","previous","results"}`; the default page has 10 entries, the largest 100.
fn page(call: &Call, all: &[Value]) -> Reply {
    let number = |key, default: usize| query::value(&call.entry.query, key).map_or(Ok(default), |text| text.parse());
    let (Ok(size @ 1..=100), Ok(page @ 1..)) = (number("page_size", 10), number("page", 1)) else {
        return Reply::new(400).json(r#"{"message":"bad request"}"#);
    };
    let start = (page - 1) * size;
    if start > 0 && start >= all.len() {
        return Reply::new(404).json(r#"{"message":"object not found","errinfo":{}}"#);
    }
    let end = (start + size).min(all.len());
    let url = |page: usize| format!("https://hub.docker.com{}?page={page}&page_size={size}", call.entry.path);
    Reply::new(200).json(json!({
        "count": all.len(),
        "next": (end < all.len()).then(|| url(page + 1)),
        "previous": (page > 1).then(|| url(page - 1)),
        "results": &all[start..end],
    }))
}

fn unauthorized() -> Reply {
    Reply::new(401).json(r#"{"message":"unauthorized","detail":"authentication required"}"#)
}

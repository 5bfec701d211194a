//! One engine for every registry: presets describe, the engine acts.

mod blob_store;
mod gate;
mod lists;
mod mount;
mod pull;
mod push;
mod route;
mod scope;
mod session;
mod token;
mod upload;
mod users;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use futures_util::FutureExt;
use http::Method;

pub use self::gate::{Ask, Caller, Denial, Why};
pub use self::route::{Door, Route};
pub use self::scope::{Scope, distribution_scopes};
pub(super) use self::token::FOREVER;
pub use self::token::{Access, Issued, TokenAsk};
pub use self::users::{Policy, Users};
use super::call::Call;
use super::content::{Blob, Image, Store};
use super::ledger::{AuthSeen, Role};
use super::lock;
use super::preset::{Preset, TokenPlace};
use super::reply::Reply;
use super::rules::Rule;
use super::server::{Handler, Manner, Server};
use super::world::World;

/// A running registry with its token service and blob store. A cheap handle; clones are the same registry.
#[derive(Clone)]
pub struct Registry {
    engine: Arc<Engine>,
    api: Arc<Server>,
    token: Arc<Server>,
    blobs: Arc<Server>,
    uploads: Arc<Server>,
}

impl Registry {
    /// `http://hub.test`: where the API is.
    pub fn origin(&self) -> String {
        self.api.origin()
    }

    /// `hub.test`, or `127.0.0.1:34567` on loopback.
    pub fn authority(&self) -> &str {
        self.api.authority()
    }

    /// The server of the API, to inject faults into.
    pub fn registry(&self) -> &Server {
        &self.api
    }

    /// The server of the token service; the same as [`registry`](Self::registry) where one origin does both.
    pub fn token(&self) -> &Server {
        &self.token
    }

    pub fn blobs(&self) -> &Server {
        &self.blobs
    }

    /// The other host of [`Locations::OtherHost`](super::Locations::OtherHost).
    pub fn uploads(&self) -> &Server {
        &self.uploads
    }

    /// The sessions that are open, and how many bytes each has received.
    pub fn open_uploads(&self) -> Vec<u64> {
        lock(&self.engine.sessions).values().map(session::Session::received).collect()
    }

    /// What a token gets whose time is over: a 401 with `error="invalid_token"`. For faults in the middle of an upload.
    pub fn invalid_token(&self) -> Reply {
        let preset = Arc::clone(&lock(&self.engine.preset));
        let (realm, service) = (self.engine.realm(&preset), self.engine.service(&preset));
        let challenge = format!(r#"Bearer realm="{realm}",service="{service}",error="invalid_token""#);
        Reply::error(401, "UNAUTHORIZED", "authentication required").header("www-authenticate", challenge)
    }

    pub fn store(&self) -> &Store {
        &self.engine.store
    }

    pub fn users(&self) -> &Users {
        &self.engine.users
    }

    /// Puts an image into a public repository.
    pub fn publish(&self, name: &str, tag: &str, image: &Image) {
        self.store().put(name, tag, image);
        self.store().write(name, |repository| repository.public = true);
    }

    /// Puts an image into a private repository.
    pub fn keep(&self, name: &str, tag: &str, image: &Image) {
        self.store().put(name, tag, image);
    }

    /// Puts a blob, a synthetic one perhaps, into a public repository.
    pub fn publish_blob(&self, name: &str, blob: &Blob) {
        self.store().write(name, |repository| {
            repository.public = true;
            repository.blobs.insert(blob.digest.clone(), blob.clone());
        });
    }

    /// A login. The user owns the repositories under the name `user/`.
    pub fn user(&self, user: &str, password: &str) {
        self.users().add(user, password);
    }

    /// Changes the description of the running registry; requests under way keep the old one.
    pub fn change(&self, change: impl FnOnce(&mut Preset)) {
        change(Arc::make_mut(&mut lock(&self.engine.preset)));
    }

    /// Every token issued so far is worth nothing from now on.
    pub fn revoke_tokens(&self) {
        self.engine.tokens.revoke_all();
    }

    /// Starts the manifest pull counter of the rate limit again.
    pub fn reset_rate_limit(&self) {
        self.engine.charged.store(0, Ordering::Release);
    }

    pub(super) async fn start(world: &Arc<World>, preset: Preset) -> Self {
        let (label, host, title_case) = (preset.label.clone(), preset.host.clone(), preset.title_case);
        let shared_token_path = (preset.tokens.place == TokenPlace::Registry).then(|| preset.tokens.path.clone());
        let engine = Arc::new(Engine::new(world, preset));
        let handler = engine.handler();
        let start = async |host: String, role: Box<dyn Fn(&str) -> Role + Send + Sync>| {
            let (door, authority) = world.network.listen(&host).await;
            let manner = Manner { label: label.clone(), role, title_case };
            Server::start(world, door, authority, manner, Arc::clone(&handler))
        };
        let shared = shared_token_path.clone();
        let api = start(
            host.clone(),
            Box::new(move |path| if shared.as_deref() == Some(path) { Role::Token } else { Role::Registry }),
        )
        .await;
        let token = match shared_token_path {
            Some(_) => Arc::clone(&api),
            None => start(format!("auth.{host}"), Box::new(|_| Role::Token)).await,
        };
        let blobs = start(format!("blobs.{host}"), Box::new(|_| Role::Blobs)).await;
        let uploads = start(format!("uploads.{host}"), Box::new(|_| Role::Uploads)).await;
        let origins =
            Origins { registry: api.origin(), token: token.origin(), blobs: blobs.origin(), uploads: uploads.origin() };
        assert!(engine.origins.set(origins).is_ok(), "a registry starts once");
        Self { engine, api, token, blobs, uploads }
    }
}

/// What the servers of one registry share.
pub struct Engine {
    world: Arc<World>,
    preset: Mutex<Arc<Preset>>,
    store: Store,
    users: Users,
    tokens: token::TokenBook,
    sessions: Mutex<HashMap<String, session::Session>>,
    origins: OnceLock<Origins>,
    numbers: [AtomicUsize; 3],
    charged: AtomicUsize,
}

#[derive(Clone, Copy)]
pub enum Series {
    Tokens,
    Uploads,
    Challenges,
}

pub struct Origins {
    pub registry: String,
    pub token: String,
    pub blobs: String,
    pub uploads: String,
}

impl Origins {
    pub fn registry_authority(&self) -> &str {
        self.registry.trim_start_matches("http://")
    }
}

impl Engine {
    fn new(world: &Arc<World>, preset: Preset) -> Self {
        Self {
            world: Arc::clone(world),
            preset: Mutex::new(Arc::new(preset)),
            store: Store::default(),
            users: Users::default(),
            tokens: token::TokenBook::default(),
            sessions: Mutex::default(),
            origins: OnceLock::new(),
            numbers: Default::default(),
            charged: AtomicUsize::new(0),
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn origins(&self) -> &Origins {
        self.origins.get().expect("requests arrive after the start")
    }

    fn handler(self: &Arc<Self>) -> Handler {
        let engine = Arc::clone(self);
        Arc::new(move |call| {
            let engine = Arc::clone(&engine);
            async move { engine.answer(call).await }.boxed()
        })
    }

    async fn answer(&self, call: Call) -> Reply {
        let preset = Arc::clone(&lock(&self.preset));
        match call.entry.role {
            Role::Token => {
                if call.entry.path != preset.tokens.path {
                    call.broken(Rule::UnknownPath);
                    return Reply::new(404).text("404 page not found\n");
                }
                let headers = preset.tokens.headers;
                with_headers(self.answer_token(&preset, call).await, headers)
            }
            _ if blob_store::is_presigned(&call.entry.path) => self.answer_presigned(&preset, &call.entry),
            Role::Registry => with_headers(self.answer_api(&preset, call).await, preset.headers),
            Role::Uploads => self.answer_elsewhere(&preset, call).await,
            Role::Blobs | Role::Other(_) => {
                call.broken(Rule::UnknownPath);
                Reply::new(404).xml("<Error><Code>NoSuchKey</Code></Error>")
            }
        }
    }

    async fn answer_api(&self, preset: &Preset, call: Call) -> Reply {
        let Some(route) = Route::parse(&call.entry.path).map(|route| self.whole_name(route)) else {
            call.broken(Rule::UnknownPath);
            return Reply::new(404).text("404 page not found\n");
        };
        let caller = self.identify(preset, &call);
        let entry = call.entry.clone();
        let ask = Ask { registry: self, preset, entry: &entry, route: &route, caller: &caller };
        if let Some(reply) = (preset.oddities)(&ask) {
            return reply;
        }
        if let Err(refusal) = self.admit(&ask) {
            return refusal;
        }
        let reads = matches!(entry.method, Method::GET | Method::HEAD);
        match &route {
            Route::Root => Reply::new(404).text("404 page not found\n"),
            Route::BareBase | Route::Base => (preset.base)(&ask),
            Route::Catalog if reads => self.catalog(&ask),
            Route::Tags { name } if reads => self.tags(&ask, name),
            Route::Referrers { name, digest } if reads => self.referrers(&ask, name, digest),
            Route::Manifest { name, reference } if reads => self.manifest(&ask, name, reference),
            Route::Blob { name, digest } if reads => self.blob(&ask, name, digest),
            _ => self.change(&ask, call).await,
        }
    }

    /// The host of [`Locations::OtherHost`](super::Locations::OtherHost): nobody is asked who they are.
    async fn answer_elsewhere(&self, preset: &Preset, call: Call) -> Reply {
        let Some(route @ Route::Upload { .. }) = Route::parse(&call.entry.path) else {
            call.broken(Rule::UnknownPath);
            return Reply::new(404).text("404 page not found\n");
        };
        if call.entry.authorization != AuthSeen::None {
            return Reply::error(400, "UNSUPPORTED", "only one auth mechanism allowed");
        }
        let (entry, caller) = (call.entry.clone(), Ok(Caller::Anonymous));
        let ask = Ask { registry: self, preset, entry: &entry, route: &route, caller: &caller };
        self.change(&ask, call).await
    }

    /// Numbers count from 1 within their series, so that they do not depend on what else went on.
    pub fn next_number(&self, series: Series) -> usize {
        self.numbers[series as usize].fetch_add(1, Ordering::AcqRel) + 1
    }

    /// How many manifest pulls came before this one.
    fn charged(&self, charge: bool) -> usize {
        self.charged.fetch_add(usize::from(charge), Ordering::AcqRel)
    }
}

fn with_headers(reply: Reply, headers: &[(&str, &str)]) -> Reply {
    headers.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
}

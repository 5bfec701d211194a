//! What a test holds of a running registry.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::content::{Blob, Image, Store};
use super::super::ledger::Role;
use super::super::lock;
use super::super::preset::{Preset, TokenPlace};
use super::super::reply::Reply;
use super::super::server::{Handler, Manner, Server};
use super::super::world::World;
use super::session::Session;
use super::{Engine, Origins, Users};

/// A running registry with its token service and blob store. A cheap handle; clones are the same registry.
#[derive(Clone)]
pub struct Registry {
    engine: Arc<Engine>,
    api: Arc<Server>,
    token: Arc<Server>,
    blobs: Arc<Server>,
    uploads: Arc<Server>,
    others: Vec<(&'static str, Arc<Server>)>,
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

    /// A further host, by its name in the preset.
    pub fn other(&self, name: &str) -> &Server {
        let found = self.others.iter().find(|(other, _)| *other == name);
        found.map(|(_, server)| &**server).expect("the preset has a host of that name")
    }

    /// The description in force.
    pub fn preset(&self) -> Arc<Preset> {
        Arc::clone(&lock(&self.engine.preset))
    }

    /// The sessions that are open, and how many bytes each has received.
    pub fn open_uploads(&self) -> Vec<u64> {
        lock(&self.engine.sessions).values().map(Session::received).collect()
    }

    /// What a token gets whose time is over: a 401 with `error="invalid_token"`. For faults in the middle of an upload.
    pub fn invalid_token(&self) -> Reply {
        let preset = self.preset();
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

    /// Makes it answer a path that is not the distribution API's.
    pub fn answer_at(&self, path: &'static str, handler: Handler) {
        lock(&self.engine.further).insert(path, handler);
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

    pub(in super::super) async fn start(world: &Arc<World>, preset: Preset) -> Self {
        let (label, host, title_case) = (preset.label.clone(), preset.host.clone(), preset.title_case);
        let names: Vec<&'static str> = preset.others.iter().map(|other| other.name).collect();
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
        let mut others = Vec::new();
        for name in names {
            let server = start(format!("{name}.{host}"), Box::new(move |_| Role::Other(name))).await;
            others.push((name, server));
        }
        let origins = Origins {
            registry: api.origin(),
            token: token.origin(),
            blobs: blobs.origin(),
            uploads: uploads.origin(),
            others: others.iter().map(|(name, server)| (*name, server.origin())).collect(),
        };
        for other in &mut Arc::make_mut(&mut lock(&engine.preset)).others {
            other.settle(origins.other(other.name));
        }
        assert!(engine.origins.set(origins).is_ok(), "a registry starts once");
        Self { engine, api, token, blobs, uploads, others }
    }
}

//! The handle with which a test controls a running registry.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::content::{Blob, Image, Store};
use super::super::ledger::Role;
use super::super::lock;
use super::super::preset::{Preset, TokenHost};
use super::super::reply::Reply;
use super::super::server::{Handler, Server, ServerOptions};
use super::super::world::World;
use super::session::Session;
use super::{Engine, Origins, Users};

/// A running registry with its token service, blob store and other hosts. Clones share the registry.
#[derive(Clone)]
pub struct Registry {
    engine: Arc<Engine>,
    api: Arc<Server>,
    token: Arc<Server>,
    blobs: Arc<Server>,
    uploads: Arc<Server>,
    extra_hosts: Vec<(&'static str, Arc<Server>)>,
}

impl Registry {
    /// The origin of the API: `http://hub.test`.
    pub fn origin(&self) -> String {
        self.api.origin()
    }

    /// The authority of the API: `hub.test`, or `127.0.0.1:34567` on loopback.
    pub fn authority(&self) -> &str {
        self.api.authority()
    }

    /// The server of the API.
    pub fn api(&self) -> &Server {
        &self.api
    }

    /// The server of the token service; the same as [`api`](Self::api) where both have one origin.
    pub fn token_service(&self) -> &Server {
        &self.token
    }

    /// The server to which blob requests are redirected.
    pub fn blob_store(&self) -> &Server {
        &self.blobs
    }

    /// The server of the sessions of [`Locations::OtherHost`](super::super::Locations::OtherHost).
    pub fn upload_host(&self) -> &Server {
        &self.uploads
    }

    /// An [`ExtraHost`](super::super::ExtraHost), by its name in the preset.
    pub fn extra_host(&self, name: &str) -> &Server {
        let found = self.extra_hosts.iter().find(|(other, _)| *other == name);
        found.map(|(_, server)| &**server).expect("the preset has an extra host of that name")
    }

    /// The current preset.
    pub fn preset(&self) -> Arc<Preset> {
        Arc::clone(&lock(&self.engine.preset))
    }

    /// How many bytes each open upload session has received.
    pub fn open_upload_sizes(&self) -> Vec<u64> {
        lock(&self.engine.sessions).values().map(Session::received).collect()
    }

    /// A 401 with `error="invalid_token"`, as for an expired token: for faults in the middle of an upload.
    pub fn invalid_token_reply(&self) -> Reply {
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

    /// Adds an image to a repository and makes it public.
    pub fn publish(&self, name: &str, tag: &str, image: &Image) {
        self.store().put(name, tag, image);
        self.store().write(name, |repository| repository.public = true);
    }

    /// Adds an image to a repository, which is private unless it was made public before.
    pub fn publish_private(&self, name: &str, tag: &str, image: &Image) {
        self.store().put(name, tag, image);
    }

    /// Adds a blob to a repository and makes it public.
    pub fn publish_blob(&self, name: &str, blob: &Blob) {
        self.store().write(name, |repository| {
            repository.public = true;
            repository.blobs.insert(blob.digest.clone(), blob.clone());
        });
    }

    /// Adds a user, or changes its password. The user owns the repositories under `user/`.
    pub fn add_user(&self, user: &str, password: &str) {
        self.users().add(user, password);
    }

    /// Serves a path outside the distribution API with `handler`, without authentication.
    pub fn handle_path(&self, path: &'static str, handler: Handler) {
        lock(&self.engine.extra_paths).insert(path, handler);
    }

    /// Changes the preset of the running registry. Requests in flight keep the old one.
    pub fn change_preset(&self, change: impl FnOnce(&mut Preset)) {
        change(Arc::make_mut(&mut lock(&self.engine.preset)));
    }

    /// Invalidates every token issued so far.
    pub fn revoke_tokens(&self) {
        self.engine.tokens.revoke_all();
    }

    /// Resets the counter of manifest pulls for the rate limit.
    pub fn reset_rate_limit(&self) {
        self.engine.manifest_pulls.store(0, Ordering::Release);
    }

    pub(in super::super) async fn start(world: &Arc<World>, preset: Preset) -> Self {
        let (ledger_prefix, host, title_case_headers) =
            (preset.ledger_prefix.clone(), preset.host.clone(), preset.title_case_headers);
        let names: Vec<&'static str> = preset.extra_hosts.iter().map(|other| other.name).collect();
        let shared_token_path = (preset.tokens.host == TokenHost::Registry).then(|| preset.tokens.path.clone());
        let engine = Arc::new(Engine::new(world, preset));
        let handler = engine.handler();
        let start = async |host: String, role: Box<dyn Fn(&str) -> Role + Send + Sync>| {
            let (listener, authority) = world.network.listen(&host).await;
            let options = ServerOptions { ledger_prefix: ledger_prefix.clone(), role, title_case_headers };
            Server::start(world, listener, authority, options, Arc::clone(&handler))
        };
        let shared = shared_token_path.clone();
        let api = start(
            host.clone(),
            Box::new(move |path| if shared.as_deref() == Some(path) { Role::TokenService } else { Role::Registry }),
        )
        .await;
        let token = match shared_token_path {
            Some(_) => Arc::clone(&api),
            None => start(format!("auth.{host}"), Box::new(|_| Role::TokenService)).await,
        };
        let blobs = start(format!("blobs.{host}"), Box::new(|_| Role::BlobStore)).await;
        let uploads = start(format!("uploads.{host}"), Box::new(|_| Role::UploadHost)).await;
        let mut extra_hosts = Vec::new();
        for name in names {
            let server = start(format!("{name}.{host}"), Box::new(move |_| Role::Other(name))).await;
            extra_hosts.push((name, server));
        }
        let origins = Origins {
            registry: api.origin(),
            token: token.origin(),
            blobs: blobs.origin(),
            uploads: uploads.origin(),
            extra_hosts: extra_hosts.iter().map(|(name, server)| (*name, server.origin())).collect(),
        };
        for other in &mut Arc::make_mut(&mut lock(&engine.preset)).extra_hosts {
            other.set_origin(origins.extra_host(other.name));
        }
        assert!(engine.origins.set(origins).is_ok(), "a registry starts once");
        Self { engine, api, token, blobs, uploads, extra_hosts }
    }
}

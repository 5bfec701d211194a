//! The engine of every registry: a preset describes the registry, the engine acts accordingly.

mod access;
mod blob_store;
mod handle;
mod lists;
mod mount;
mod pull;
mod push;
mod ranges;
mod scope;
mod session;
mod token;
mod upload;
mod users;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use futures_util::FutureExt;
use http::Method;

pub use self::access::{ApiRequest, Caller, Denial, DenialReason};
pub use self::handle::Registry;
pub use self::scope::{Scope, distribution_scopes};
pub(super) use self::token::FOREVER;
pub use self::token::{IssuedToken, TokenAccess, TokenRequest};
pub use self::users::{Policy, Users};
use super::call::Call;
use super::content::Store;
use super::ledger::{RequestAuth, Role};
use super::lock;
use super::preset::{ExtraHost, Preset};
use super::reply::Reply;
use super::route::Route;
use super::rules::Rule;
use super::server::Handler;
use super::world::World;

/// The state that the servers of one registry share.
pub struct Engine {
    world: Arc<World>,
    preset: Mutex<Arc<Preset>>,
    store: Store,
    users: Users,
    tokens: token::TokenStore,
    sessions: Mutex<HashMap<String, session::Session>>,
    origins: OnceLock<Origins>,
    counters: [AtomicUsize; 3],
    /// Manifest pulls that count against the rate limit.
    manifest_pulls: AtomicUsize,
    /// Handlers of paths outside the distribution API.
    extra_paths: Mutex<HashMap<&'static str, Handler>>,
    /// Repositories that exist only because a token with `push` was requested.
    created_by_token_request: Mutex<HashSet<String>>,
}

/// What [`Engine::next_number`] counts.
#[derive(Clone, Copy)]
pub enum Counter {
    Tokens,
    Uploads,
    Challenges,
}

/// The origins of the servers: `http://hub.test`.
pub struct Origins {
    pub registry: String,
    pub token: String,
    pub blobs: String,
    pub uploads: String,
    /// By the name of the [`ExtraHost`].
    pub extra_hosts: Vec<(&'static str, String)>,
}

impl Origins {
    pub fn registry_authority(&self) -> &str {
        self.registry.trim_start_matches("http://")
    }

    pub fn extra_host(&self, name: &str) -> &str {
        self.extra_hosts.iter().find(|(other, _)| *other == name).map_or("", |(_, origin)| origin)
    }
}

impl Engine {
    fn new(world: &Arc<World>, preset: Preset) -> Self {
        Self {
            world: Arc::clone(world),
            preset: Mutex::new(Arc::new(preset)),
            store: Store::default(),
            users: Users::default(),
            tokens: token::TokenStore::default(),
            sessions: Mutex::default(),
            origins: OnceLock::new(),
            counters: Default::default(),
            manifest_pulls: AtomicUsize::new(0),
            extra_paths: Mutex::default(),
            created_by_token_request: Mutex::default(),
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn origins(&self) -> &Origins {
        self.origins.get().expect("the origins are set before the first request")
    }

    fn handler(self: &Arc<Self>) -> Handler {
        let engine = Arc::clone(self);
        Arc::new(move |call| {
            let engine = Arc::clone(&engine);
            async move { engine.respond(call).await }.boxed()
        })
    }

    async fn respond(&self, call: Call) -> Reply {
        let preset = Arc::clone(&lock(&self.preset));
        match call.entry.role {
            Role::TokenService => {
                if call.entry.path != preset.tokens.path {
                    call.report_violation(Rule::UnknownPath);
                    return Reply::page_not_found();
                }
                let headers = preset.tokens.headers;
                with_headers(self.token_reply(&preset, call).await, headers)
            }
            _ if blob_store::is_presigned(&call.entry.path) => self.presigned_reply(&preset, &call.entry),
            Role::Registry => with_headers(self.api_reply(&preset, call, "").await, preset.headers),
            Role::UploadHost => self.upload_host_reply(&preset, call).await,
            Role::Other(name) => match preset.extra_hosts.iter().find(|host| host.name == name) {
                Some(host) => self.extra_host_reply(host, call).await,
                None => Reply::new(404),
            },
            Role::VendorApi(_) => Reply::new(404),
            Role::BlobStore => {
                call.report_violation(Rule::UnknownPath);
                Reply::new(404).xml("<Error><Code>NoSuchKey</Code></Error>")
            }
        }
    }

    async fn extra_host_reply(&self, host: &ExtraHost, call: Call) -> Reply {
        if !host.may_receive_credentials && call.entry.authorization != RequestAuth::None {
            call.report_violation(Rule::CredentialAfterRedirect);
        }
        if call.entry.path == host.preset.tokens.path {
            return with_headers(self.token_reply(&host.preset, call).await, host.preset.tokens.headers);
        }
        with_headers(self.api_reply(&host.preset, call, host.repository_prefix).await, host.preset.headers)
    }

    /// Replies to a request of the API. Repository names start with `prefix`, which is not part of the stored names.
    async fn api_reply(&self, preset: &Preset, call: Call, prefix: &str) -> Reply {
        let extra_path = lock(&self.extra_paths).get(&*call.entry.path).cloned();
        if let Some(handler) = extra_path {
            return handler(call).await;
        }
        let known = Route::parse(&call.entry.path).and_then(|route| route.without_prefix(prefix));
        let Some(route) = known.map(|route| self.with_full_name(route)) else {
            call.report_violation(Rule::UnknownPath);
            return Reply::page_not_found();
        };
        let caller = self.authenticate(preset, &call);
        let entry = call.entry.clone();
        let request = ApiRequest { registry: self, preset, entry: &entry, route: &route, caller: &caller };
        if let Some(reply) = (preset.early_reply)(&request) {
            return reply;
        }
        if let Err(denial) = self.authorize(&request) {
            return denial;
        }
        let reads = matches!(entry.method, Method::GET | Method::HEAD);
        if let Some(name) = route.repository()
            && lock(&self.created_by_token_request).remove(name)
            && reads
        {
            call.report_violation(Rule::RepositoryCreatedByPull);
        }
        match &route {
            Route::Root | Route::Extension { .. } => Reply::page_not_found(),
            Route::BareBase | Route::Base => (preset.base_reply)(&request),
            Route::Catalog if reads => self.catalog(&request),
            Route::Tags { name } if reads => self.tags(&request, name),
            Route::Referrers { name, digest } if reads => self.referrers(&request, name, digest),
            Route::Manifest { name, reference } if reads => self.manifest(&request, name, reference),
            Route::Blob { name, digest } if reads => self.blob(&request, name, digest),
            _ => self.write(&request, call).await,
        }
    }

    /// Replies at the host of [`Locations::OtherHost`](super::Locations::OtherHost), which takes no credential.
    async fn upload_host_reply(&self, preset: &Preset, call: Call) -> Reply {
        let Some(route @ Route::Upload { .. }) = Route::parse(&call.entry.path) else {
            call.report_violation(Rule::UnknownPath);
            return Reply::page_not_found();
        };
        if call.entry.authorization != RequestAuth::None {
            return Reply::error(400, "UNSUPPORTED", "only one auth mechanism allowed");
        }
        let (entry, caller) = (call.entry.clone(), Ok(Caller::Anonymous));
        let request = ApiRequest { registry: self, preset, entry: &entry, route: &route, caller: &caller };
        self.write(&request, call).await
    }

    /// The next number of one counter, from 1. Counters are separate, so that a number does not depend on other events.
    pub fn next_number(&self, counter: Counter) -> usize {
        self.counters[counter as usize].fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The number of manifest pulls counted before this request, which is added if `counts`.
    fn count_manifest_pull(&self, counts: bool) -> usize {
        self.manifest_pulls.fetch_add(usize::from(counts), Ordering::AcqRel)
    }
}

fn with_headers(reply: Reply, headers: &[(&str, &str)]) -> Reply {
    headers.iter().fold(reply, |reply, (name, value)| reply.append_header(name, value))
}

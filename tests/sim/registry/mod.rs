//! One engine for every registry: presets describe, the engine acts.

mod blob_store;
mod gate;
mod handle;
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

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use futures_util::FutureExt;
use http::Method;

pub use self::gate::{Ask, Caller, Denial, Why};
pub use self::handle::Registry;
pub use self::route::{Door, Route};
pub use self::scope::{Scope, distribution_scopes};
pub(super) use self::token::FOREVER;
pub use self::token::{Access, Issued, TokenAsk};
pub use self::users::{Policy, Users};
use super::call::Call;
use super::content::Store;
use super::ledger::{AuthSeen, Role};
use super::lock;
use super::preset::{Other, Preset};
use super::reply::Reply;
use super::rules::Rule;
use super::server::Handler;
use super::world::World;

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
    /// What else it answers, by path.
    further: Mutex<HashMap<&'static str, Handler>>,
    /// Repositories that exist because a token call named `push`.
    made_by_asking: Mutex<HashSet<String>>,
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
    /// Those of [`Other`](super::Other), by name.
    pub others: Vec<(&'static str, String)>,
}

impl Origins {
    pub fn registry_authority(&self) -> &str {
        self.registry.trim_start_matches("http://")
    }

    pub fn other(&self, name: &str) -> &str {
        self.others.iter().find(|(other, _)| *other == name).map_or("", |(_, origin)| origin)
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
            further: Mutex::default(),
            made_by_asking: Mutex::default(),
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
            Role::Registry => with_headers(self.answer_api(&preset, call, "").await, preset.headers),
            Role::Uploads => self.answer_elsewhere(&preset, call).await,
            Role::Other(name) => match preset.others.iter().find(|other| other.name == name) {
                Some(other) => self.answer_other(other, call).await,
                None => Reply::new(404),
            },
            Role::Blobs => {
                call.broken(Rule::UnknownPath);
                Reply::new(404).xml("<Error><Code>NoSuchKey</Code></Error>")
            }
        }
    }

    async fn answer_other(&self, other: &Other, call: Call) -> Reply {
        if !other.trusted && call.entry.authorization != AuthSeen::None {
            call.broken(Rule::CredentialAfterRedirect);
        }
        if call.entry.path == other.preset.tokens.path {
            return with_headers(self.answer_token(&other.preset, call).await, other.preset.tokens.headers);
        }
        with_headers(self.answer_api(&other.preset, call, other.prefix).await, other.preset.headers)
    }

    /// Names begin with `prefix`, which the content does not know.
    async fn answer_api(&self, preset: &Preset, call: Call, prefix: &str) -> Reply {
        let further = lock(&self.further).get(&*call.entry.path).cloned();
        if let Some(handler) = further {
            return handler(call).await;
        }
        let known = Route::parse(&call.entry.path).and_then(|route| route.without_prefix(prefix));
        let Some(route) = known.map(|route| self.whole_name(route)) else {
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
        if let Some(name) = route.repository()
            && lock(&self.made_by_asking).remove(name)
            && reads
        {
            call.broken(Rule::MadeByAsking);
        }
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
    headers.iter().fold(reply, |reply, (name, value)| reply.line(name, value))
}

//! The request path. Reading order is execution order:
//!
//! ```text
//! Request ─▶ admit ─▶ route ─▶ classify ─▶ outbound ─▶ exchange ─▶ redirect ─▶ reply ─▶ Response
//!            front    Routed   Call        request     Grant       hops        normalized
//! ```

pub mod admit;
pub mod answer;
pub mod budget;
pub mod call;
pub mod document;
pub mod exchange;
pub mod failure;
pub mod headers;
pub mod leg;
pub mod outbound;
pub mod page;
pub mod pipeline;
pub mod redirect;
pub mod referrers;
pub mod refusal;
pub mod reply;
mod retry;
pub mod route;
pub mod trace;
pub mod transfer;
pub mod untag;
pub mod upload;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::auth::authorizer::Authorizer;
use crate::base::clock::WallClock;
use crate::credential::secret::Reading;
use crate::observe::metrics::Metrics;
use crate::observe::process::Process;
use crate::observe::reloads::Reloads;
use crate::observe::seen::Seen;
use route::Routes;
use upload::Uploads;

pub use pipeline::handle;

/// What every request shares.
#[derive(Debug)]
pub struct Proxy {
    /// The configuration in force.
    pub routes: ArcSwap<Routes>,
    pub authorizer: Authorizer,
    pub metrics: Arc<Metrics>,
    pub reloads: Reloads,
    clock: WallClock,
    /// What the requests leave behind for people to look at.
    pub seen: Arc<Seen>,
    pub process: Process,
    /// Told to registries in `Via`, so that a request that comes back to us is recognised.
    instance: Box<str>,
    pub uploads: Uploads,
}

impl Proxy {
    pub fn new(routes: Routes, clock: WallClock, uploads: Uploads) -> Arc<Self> {
        let metrics = Arc::new(Metrics::default());
        Arc::new(Self {
            routes: ArcSwap::from_pointee(routes),
            authorizer: Authorizer::new(metrics.clone(), clock),
            reloads: Reloads::new(metrics.clone(), clock),
            metrics,
            clock,
            seen: Arc::new(Seen::new(clock)),
            process: Process::new(clock),
            instance: format!("regpass-{:016x}", fastrand::u64(..)).into(),
            uploads,
        })
    }

    /// Puts another configuration in force. Requests under way go on by the one they began with.
    pub fn reconfigure(&self, routes: Routes, upload_keys: Vec<Arc<Reading>>, upload_spool: u64) {
        routes.take_over(&self.routes.load());
        self.authorizer.remember_only(&routes.used().iter().map(|used| used.upstream.id).collect());
        self.uploads.reconfigure(upload_keys, upload_spool);
        self.routes.store(Arc::new(routes));
    }

    /// The process is about to end: it is not ready for more.
    pub fn drain(&self) {
        self.process.drain();
    }

    /// What this process is called in `Via`.
    pub fn instance(&self) -> &str {
        &self.instance
    }
}

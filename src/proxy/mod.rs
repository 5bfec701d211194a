//! The path of a client request: to a registry, and back as a response.
//!
//! ```text
//! host_check,  ─▶ listener ─▶ routing ─▶ classify ─▶ upstream_request ─▶ exchange ─▶ redirect ─▶ response
//! foreign_page     client      which      Call:       what the            auth,       blob        one form for
//!                  auth        registry   operation   registry gets       retries     store       all registries
//! ```
//!
//! [`pipeline`] calls these stages in this order; [`fetch`] is exchange and redirect together. Errors become an
//! [`ErrorResponse`](error_response::ErrorResponse), those of a registry in [`registry_error`]. Blob uploads take
//! their own path after `classify`: [`upload`].

pub mod blob_check;
pub mod classify;
pub mod client_urls;
pub mod content_encoding;
pub mod content_size;
pub mod error_response;
pub mod exchange;
pub mod extension;
pub mod fetch;
pub mod foreign_page;
pub mod host_check;
pub mod listener;
pub mod local_response;
pub mod paging;
pub mod permission;
pub mod pipeline;
pub mod redirect;
pub mod referrers;
pub mod registry_error;
pub mod request_headers;
pub mod request_url;
pub mod response;
pub mod response_body;
pub mod response_headers;
pub mod resumable_body;
pub mod routes;
pub mod routing;
pub mod send;
pub mod tag_deletion;
pub mod trace_context;
pub mod upload;
pub mod upstream_request;
pub mod vendor_api;
pub mod via;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::auth::authorizer::Authorizer;
use crate::base::clock::WallClock;
use crate::credential::secret_reader::SecretReader;
use crate::observe::activity::Activity;
use crate::observe::metrics::Metrics;
use crate::observe::process::Process;
use crate::observe::reloads::Reloads;
use routes::Routes;
use upload::Uploads;
use vendor_api::ApiTokens;

pub use pipeline::handle;

/// The state that all requests share.
#[derive(Debug)]
pub struct Proxy {
    /// The registries of the active configuration.
    pub routes: ArcSwap<Routes>,
    pub authorizer: Authorizer,
    pub metrics: Arc<Metrics>,
    pub reloads: Reloads,
    clock: WallClock,
    /// Recent requests, images and registry health, as the status page shows them.
    pub activity: Arc<Activity>,
    pub process: Process,
    /// Name of this process in the `Via` header of upstream requests. It identifies request loops.
    instance: Box<str>,
    pub uploads: Uploads,
    api_tokens: ApiTokens,
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
            activity: Arc::new(Activity::new(clock)),
            process: Process::new(clock),
            instance: format!("regpass-{:016x}", fastrand::u64(..)).into(),
            uploads,
            api_tokens: ApiTokens::default(),
        })
    }

    /// Replaces the active configuration. Requests in flight keep the registries that they started with.
    pub fn reconfigure(&self, routes: Routes, upload_keys: Vec<Arc<SecretReader>>, upload_spool: u64) {
        routes.adopt_registries(&self.routes.load());
        let upstreams = routes.used_registries().iter().map(|used| used.upstream.id).collect();
        self.authorizer.retain_upstreams(&upstreams);
        self.api_tokens.retain_upstreams(&upstreams);
        self.uploads.reconfigure(upload_keys, upload_spool);
        self.routes.store(Arc::new(routes));
    }

    /// Marks the process as shutting down, so that readiness probes fail.
    pub fn drain(&self) {
        self.process.set_draining();
    }

    /// Name of this process in `Via`.
    pub fn instance(&self) -> &str {
        &self.instance
    }
}

//! Simulated registries: real HTTP servers that send the replies of real registries, record every request in a ledger,
//! and fail the test when a request breaks a rule.
//!
//! ```text
//! #[tokio::test(start_paused = true)]
//! async fn a_warm_pull_costs_one_request() {
//!     let sim = Sim::memory();                                      // or Sim::loopback() for real clients
//!     let hub = sim.start(Preset::docker_hub()).await;              // http://hub.test, auth.hub.test, blobs.hub.test
//!     hub.publish("library/python", "3.10", &Image::multi_arch("python", ImageFormat::Oci));
//!     let proxy = start_the_proxy(hub.origin(), sim.network().clone());   // dials network.connect(host, port)
//!     proxy.get("/v2/library/python/manifests/3.10").await;
//!     sim.ledger().take();                                          // drops the requests of the cold pull
//!     proxy.get("/v2/library/python/manifests/3.10").await;
//!     sim.ledger().expect(&["registry GET /v2/library/python/manifests/3.10 bearer#1 200"]);
//!     sim.finish();                                                 // panics if a rule was broken
//! }
//! ```
//!
//! - [`Sim`]: one simulation: a [`Network`], a [`Clock`], a [`Ledger`] and the [`Rule`]s, shared by all its servers.
//! - [`Network`]: loopback TCP, or in-memory pipes for tests with a paused clock.
//! - [`Preset`]: a kind of registry as data. To add one, add a file to `preset/` that starts from `Preset::plain`, changes
//!   what differs and cites the source. [`Registry::change_preset`] changes a running registry.
//! - [`Preset::all`]: every registry, by the name of its profile. Its [`Capabilities`] say what a test may expect of it, and
//!   [`Registry::add_sample_content`] adds the user and the repositories that they name.
//! - [`PushRules`]: how a registry takes uploads; [`Preset::with_push_rules`] changes them. A session is found only under
//!   the exact URL of its last `Location`.
//! - [`ExtraHost`]: a further host of a registry with its own preset: a second token service, a regional host.
//! - [`Fault`]: misbehaviour of one server for all requests, some, or the next n: `hub.blob_store().inject(Fault::…)`.
//! - [`Aws`], [`Azure`], [`Google`]: clouds that issue credentials for a registry, as strict as the real ones.
//! - [`Relay`]: a slow TCP link in front of a server on loopback.
//! - [`Rule`]: what a request must never do; [`Sim::allow`] lifts one for a test that breaks it on purpose.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "every test binary that includes this module uses a part of it"
)]
#![allow(clippy::result_large_err, reason = "an `Err` is a whole reply, and no path here is hot")]

mod basic_auth;
mod body;
mod call;
mod clock;
mod cloud;
mod content;
mod fault;
mod ledger;
mod network;
mod plan;
mod preset;
mod query;
mod registry;
mod relay;
mod reply;
mod route;
mod rules;
mod server;
mod simulation;
mod vendor;
mod tls_front;
mod wire;
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::call::Call;
pub use self::clock::Clock;
pub use self::cloud::{AppService, Aws, Azure, Directory, Google, Imds, ServiceKey};
pub use self::content::{Blob, Image, ImageFormat, Manifest, Repository, Slice, Store, media, sha256, sha512};
pub use self::fault::Fault;
pub use self::ledger::{Entry, ExpectContinue, Framing, Ledger, RequestAuth, Role};
pub use self::network::Network;
pub use self::plan::FaultHandle;
pub use self::preset::{
    AcceptMismatch, AccessControl, AuthKind, AuthMode, Capabilities, Catalog, ContentLength, DeleteRules, Delivery,
    ExpiryReply, ExtraHost, GiteaChallenge, Hop, HopTarget, Hosted, Limit, LinkForm, ListRules, Locations,
    MonolithicPost, MountRules, MountSource, MountWithoutFrom, NTooLarge, Paging, PatchRules, Preset, PullRules,
    PushRules, RateLimit, Referrers, SeveralRanges, SignedUrl, TokenField, TokenFormat, TokenHost, TokenRules,
};
pub use self::registry::{ApiRequest, Caller, Denial, DenialReason, Policy, Registry, Scope, TokenRequest, Users};
pub use self::relay::{LinkSpeed, Relay};
pub use self::reply::Reply;
pub use self::route::Route;
pub use self::rules::Rule;
pub use self::server::{Handler, Server};
pub use self::simulation::Sim;
pub use self::vendor::{HubApi, Owner, PackagesApi};

/// Locks a mutex even if it is poisoned: the test that panicked with the lock has failed already, others need not.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

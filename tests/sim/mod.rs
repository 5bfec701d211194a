//! Simulated registries: real HTTP servers that answer what registries answer, remember every request, and fail the
//! test on whatever must never happen.
//!
//! ```text
//! #[tokio::test(start_paused = true)]
//! async fn a_warm_pull_costs_one_request() {
//!     let sim = Sim::memory();                                      // or Sim::loopback() for real clients
//!     let hub = sim.start(Preset::docker_hub()).await;              // http://hub.test, auth.hub.test, blobs.hub.test
//!     hub.publish("library/python", "3.10", &Image::multi_arch("python", Family::Oci));
//!     let proxy = start_the_proxy(hub.origin(), sim.network().clone());   // dials network.connect(host, port)
//!     proxy.get("/v2/library/python/manifests/3.10").await;
//!     sim.ledger().take();                                          // the cold phase is another test's concern
//!     proxy.get("/v2/library/python/manifests/3.10").await;
//!     sim.ledger().expect(&["registry GET /v2/library/python/manifests/3.10 bearer#1 200"]);
//!     sim.finish();                                                 // panics if a rule was broken
//! }
//! ```
//!
//! - [`Network`]: loopback TCP, or in-memory pipes for a paused clock.
//! - [`Sim`]: one network, one [`Clock`], one [`Ledger`], one set of [`Rule`]s for all its servers.
//! - [`Preset`]: a registry as data. A new registry is a new file in `preset/`: start from `Preset::plain`, change what
//!   differs, cite the source. [`Registry::change`] alters a running one.
//! - [`Preset::all`]: every registry under the name of its profile; [`Abilities`] tell what a test may expect of each, and
//!   [`Registry::furnish`] puts in what they speak of.
//! - [`Push`]: how a registry takes uploads; `Preset::pushes` changes it. Addresses of sessions are checked to the letter.
//! - [`Other`]: a further host of a registry, with manners of its own: a second token service, a region.
//! - [`Fault`]: misbehaviour of one server, for all requests or the next n: `hub.blobs().inject(Fault::…)`; the ones
//!   about uploads strike while a body is read.
//! - [`Aws`], [`Azure`], [`Google`]: clouds that lend logins for a registry, as strict as the real ones.
//! - [`Relay`]: a slow line in front of a server on loopback.
//! - [`Rule`]: what must never happen; [`Sim::allow`] for a test that breaks one on purpose.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each includer of this module uses a part of it")]
#![allow(clippy::result_large_err, reason = "a refusal is a whole reply, and no path here is hot")]

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
mod rules;
mod server;
mod wire;
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::call::Call;
pub use self::clock::Clock;
pub use self::cloud::{AppService, Aws, Azure, Directory, Google, Imds, ServiceKey};
pub use self::content::{Blob, Family, Image, Manifest, Repository, Slice, Store, media, sha256};
pub use self::fault::Fault;
pub use self::ledger::{AuthSeen, Entry, Expect, Framing, Ledger, Role};
pub use self::network::Network;
pub use self::plan::FaultHandle;
pub use self::preset::{
    Abilities, Catalog, Deletes, Delivery, Expiry, Gate, Hop, Length, Limit, LinkForm, Lists, Locations, Mint, Mode,
    Mounts, Offers, Other, Paging, Patches, Place, Preset, Pull, Push, Rate, Referrers, Shown, Signed, SinglePost,
    Source, TokenField, TokenPlace, Tokens, TooMany, Untyped, WithoutFrom,
};
pub use self::registry::{Ask, Caller, Denial, Policy, Registry, Route, Scope, TokenAsk, Users, Why};
pub use self::relay::{Pace, Relay};
pub use self::reply::Reply;
pub use self::rules::Rule;
pub use self::server::{Handler, Server};
pub use self::world::Sim;

/// A test that panicked while it held a lock has failed already; the others need not.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

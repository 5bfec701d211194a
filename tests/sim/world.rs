//! The simulation: one network, one clock, one ledger and one set of rules, shared by all its servers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, header};
use tokio::task::AbortHandle;

use super::clock::Clock;
use super::ledger::{Ledger, Role};
use super::lock;
use super::network::Network;
use super::preset::Preset;
use super::registry::Registry;
use super::rules::{Rule, Rules};
use super::server::{Handler, Manner, Server};

pub(super) struct World {
    pub(super) network: Network,
    pub(super) clock: Clock,
    pub(super) ledger: Ledger,
    pub(super) rules: Rules,
    pub(super) tokens: TokenNumbers,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl World {
    pub(super) fn own(&self, task: AbortHandle) {
        lock(&self.tasks).push(task);
    }
}

/// Every bearer token of the simulation, by number of issue and by issuing registry.
#[derive(Default)]
pub(super) struct TokenNumbers(Mutex<HashMap<String, (usize, String)>>);

impl TokenNumbers {
    /// GHCR issues the same token again and again; it keeps its number.
    pub(super) fn issued(&self, token: &str, registry: &str) {
        let mut tokens = lock(&self.0);
        let next = tokens.len() + 1;
        tokens.entry(token.to_owned()).or_insert((next, registry.to_owned()));
    }

    pub(super) fn id(&self, token: &str) -> Option<usize> {
        lock(&self.0).get(token).map(|(id, _)| *id)
    }

    pub(super) fn issuer(&self, token: &str) -> Option<String> {
        lock(&self.0).get(token).map(|(_, registry)| registry.clone())
    }
}

/// Owns the servers. Ends with [`finish`](Sim::finish), or by going out of scope: both panic if a rule was broken.
pub struct Sim {
    world: Arc<World>,
}

impl Sim {
    /// In-memory servers and a clock that begins at [`Clock::EPOCH`]: for `#[tokio::test(start_paused = true)]`.
    pub fn memory() -> Self {
        Self::new(Network::memory(), Clock::at(Clock::EPOCH))
    }

    /// Servers on ports of 127.0.0.1 and the machine's clock: for real clients.
    pub fn loopback() -> Self {
        Self::new(Network::loopback(), Clock::system())
    }

    pub fn new(network: Network, clock: Clock) -> Self {
        let (ledger, rules, tokens, tasks) = Default::default();
        Self { world: Arc::new(World { network, clock, ledger, rules, tokens, tasks }) }
    }

    pub fn network(&self) -> &Network {
        &self.world.network
    }

    pub fn clock(&self) -> Clock {
        self.world.clock
    }

    pub(super) fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    /// Starts the servers of a registry.
    pub fn start(&self, preset: Preset) -> BoxFuture<'_, Registry> {
        Registry::start(&self.world, preset).boxed()
    }

    /// Starts a server that is no registry. In memory its address is `host:80`.
    pub async fn serve(&self, host: &str, role: Role, handler: Handler) -> Arc<Server> {
        let (door, authority) = self.world.network.listen(host).await;
        let manner = Manner { label: String::new(), role: Box::new(move |_| role), title_case: false };
        Server::start(&self.world, door, authority, manner, handler)
    }

    /// This test breaks the rule on purpose.
    pub fn allow(&self, rule: Rule) {
        self.world.rules.allow(rule);
    }

    /// A string that must reach no server, plain or in a Basic credential: the client's password for the proxy, say.
    pub fn never_see(&self, secret: &str) {
        self.world.rules.never_see(secret);
    }

    /// The broken rules so far; taking them forgives them.
    pub fn take_violations(&self) -> Vec<String> {
        self.world.rules.take_violations()
    }

    /// Panics with every broken rule.
    #[track_caller]
    pub fn finish(self) {
        self.judge();
    }

    #[track_caller]
    fn judge(&self) {
        let violations = self.take_violations();
        assert!(violations.is_empty(), "rules broken in this simulation:\n  {}", violations.join("\n  "));
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        for task in lock(&self.world.tasks).drain(..) {
            task.abort();
        }
        if !std::thread::panicking() {
            self.judge();
        }
    }
}

/// The decoded `user:password` of a Basic header.
pub(super) fn basic(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    String::from_utf8(decoded).ok()
}

//! A simulation: servers on one network that share one clock, one ledger and one set of rules that requests must obey.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::clock::Clock;
use super::ledger::{Ledger, Role};
use super::network::Network;
use super::preset::Preset;
use super::registry::Registry;
use super::rules::Rule;
use super::server::{Handler, Server, ServerOptions};
use super::world::World;

/// Owns the simulated servers. [`finish`](Sim::finish) and dropping both stop them and panic if a [`Rule`] was broken.
pub struct Sim {
    world: Arc<World>,
}

impl Sim {
    /// In-memory servers and a clock that starts at [`Clock::EPOCH`]: for `#[tokio::test(start_paused = true)]`.
    pub fn memory() -> Self {
        Self::new(Network::memory(), Clock::at(Clock::EPOCH))
    }

    /// Servers on ports of 127.0.0.1 and the machine's clock: for real clients.
    pub fn loopback() -> Self {
        Self::new(Network::loopback(), Clock::system())
    }

    pub fn new(network: Network, clock: Clock) -> Self {
        Self { world: Arc::new(World::new(network, clock)) }
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

    /// Starts a registry: its API, token service, blob store and other hosts.
    pub fn start(&self, preset: Preset) -> BoxFuture<'_, Registry> {
        Registry::start(&self.world, preset).boxed()
    }

    /// Starts a server that is not a registry. In memory its address is `host:80`.
    pub async fn serve(&self, host: &str, role: Role, handler: Handler) -> Arc<Server> {
        let (listener, authority) = self.world.network.listen(host).await;
        let options =
            ServerOptions { ledger_prefix: String::new(), role: Box::new(move |_| role), title_case_headers: false };
        Server::start(&self.world, listener, authority, options, handler)
    }

    /// Lets this test break the rule.
    pub fn allow(&self, rule: Rule) {
        self.world.rules.allow(rule);
    }

    /// Fails the test if a server receives this string, plain or inside a Basic credential: for example the password
    /// with which a client authenticates to regpass.
    pub fn forbid_secret(&self, secret: &str) {
        self.world.rules.forbid_secret(secret);
    }

    /// Returns the broken rules so far and forgets them, so that they no longer fail the test.
    pub fn take_violations(&self) -> Vec<String> {
        self.world.rules.take_violations()
    }

    /// Ends the simulation; panics with the list of broken rules if there are any.
    #[track_caller]
    pub fn finish(self) {
        self.assert_no_violations();
    }

    #[track_caller]
    fn assert_no_violations(&self) {
        let violations = self.take_violations();
        assert!(violations.is_empty(), "rules broken in this simulation:\n  {}", violations.join("\n  "));
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.world.abort_tasks();
        if !std::thread::panicking() {
            self.assert_no_violations();
        }
    }
}

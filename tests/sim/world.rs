//! The state that all servers of one simulation share.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::task::AbortHandle;

use super::clock::Clock;
use super::ledger::Ledger;
use super::lock;
use super::network::Network;
use super::rules::Rules;

pub(super) struct World {
    pub(super) network: Network,
    pub(super) clock: Clock,
    pub(super) ledger: Ledger,
    pub(super) rules: Rules,
    pub(super) tokens: TokenNumbers,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl World {
    pub(super) fn new(network: Network, clock: Clock) -> Self {
        let (ledger, rules, tokens, tasks) = Default::default();
        Self { network, clock, ledger, rules, tokens, tasks }
    }

    /// Registers a server's task, to be aborted by [`World::abort_tasks`].
    pub(super) fn add_task(&self, task: AbortHandle) {
        lock(&self.tasks).push(task);
    }

    /// Stops every server.
    pub(super) fn abort_tasks(&self) {
        for task in lock(&self.tasks).drain(..) {
            task.abort();
        }
    }
}

/// The number (from 1, in order of issue) and the issuer of every bearer token of the simulation: the origin of a
/// registry, or a cloud's server by its name in the ledger.
#[derive(Default)]
pub(super) struct TokenNumbers(Mutex<HashMap<String, (usize, String)>>);

impl TokenNumbers {
    /// Numbers a token. A token that is issued again, as GHCR does, keeps its number.
    pub(super) fn record(&self, token: &str, registry: &str) {
        let mut tokens = lock(&self.0);
        let next = tokens.len() + 1;
        tokens.entry(token.to_owned()).or_insert((next, registry.to_owned()));
    }

    pub(super) fn number(&self, token: &str) -> Option<usize> {
        lock(&self.0).get(token).map(|(number, _)| *number)
    }

    pub(super) fn issuer(&self, token: &str) -> Option<String> {
        lock(&self.0).get(token).map(|(_, registry)| registry.clone())
    }
}

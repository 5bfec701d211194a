//! regpass between a client and simulated registries, in one process. Most assertions read the ledger of the
//! simulation: what reached the registry, and what did not.

#![allow(unreachable_pub, reason = "one binary: nothing is reachable from elsewhere")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../sim/mod.rs"]
mod sim;

mod harness;

mod challenges;
mod credentials;
mod engine;
mod lesson;
mod lifetimes;
mod pull;
mod safety;
mod stale_logins;
mod token_service;

//! regpass between a client and simulated registries, in one process. Most assertions read the ledger of the
//! simulation: what reached the registry, and what did not.

#![allow(unreachable_pub, reason = "one binary: nothing is reachable from elsewhere")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../sim/mod.rs"]
mod sim;

mod harness;
mod log;
mod stage;
mod wire;

mod admin;
mod challenges;
mod clouds;
mod credentials;
mod docker_hub;
mod docs;
mod documents;
mod doors;
mod echoes;
mod engine;
mod front;
mod ghcr;
mod lesson;
mod lifetimes;
mod links;
mod logs;
mod proxies;
mod pull;
mod redirects;
mod registries;
mod reload;
mod routing;
mod rules;
mod safety;
mod simulators;
mod stale_logins;
mod tls;
mod token_service;
mod transfer;
mod traps;
mod uploads;

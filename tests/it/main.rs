//! regpass between a client and simulated registries, in one process. Most assertions compare the ledger of the simulation:
//! the requests that reached the simulated servers.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../sim/mod.rs"]
mod sim;

mod blob_download;
mod harness;
mod log;
mod proxied_registry;
mod seed_registries;
mod wire;

mod admin;
mod auth_costs;
mod blob_transfer;
mod challenges;
mod client_requests;
mod clouds;
mod credential_safety;
mod credential_files;
mod credentials;
mod discovery;
mod docker_hub;
mod docs;
mod documents;
mod fault_matrix;
mod ghcr;
mod links;
mod listeners;
mod logs;
mod network_failures;
mod outbound_proxies;
mod pull;
mod realms;
mod redaction;
mod redirects;
mod referrers;
mod registries;
mod registry_setup;
mod source_files;
mod test_names;
mod rejected_credentials;
mod reload;
mod routing;
mod rules;
mod simulator_self_tests;
mod token_lifetimes;
mod token_service;
mod uploads;
mod upstream_tls;
mod vendor_apis;

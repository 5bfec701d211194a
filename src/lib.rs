//! regpass: a local authenticating reverse proxy for OCI registries.
//!
//! The modules are floors. Each imports only from the floors below it (`tests/floors` checks that). From the ground up:
//!
//! - [`base`]: types that need no other floor: secrets, redaction, origins, hosts, the clock, leases and their cache.
//! - [`oci`]: the vocabulary of the distribution API: names, digests, operations, challenges, scopes, error bodies.
//! - [`observe`]: metrics, the record of each request, logs, and the state that the status page shows.
//! - [`profile`]: what is known about each kind of registry, as data: one row per registry, one field per peculiarity.
//! - [`net`]: the HTTP client: name lookup, address checks, TLS, proxies, circuits, request bodies and their spools.
//! - [`listen`]: the server side of a socket: accept loop, TLS, peers and connections.
//! - [`config`]: file, flags and environment variables, parsed into values with positions for errors.
//! - [`setup`]: the changes that clients' own configuration files need, as text to text.
//! - [`credential`]: the sources of credentials: configuration, files, docker's configuration, helpers, clouds.
//! - [`clients`]: who may use a listener, by socket, password, token or certificate.
//! - [`upstream`]: one configured registry: its origin, profile, connections and policy.
//! - [`auth`]: authorization towards registries: challenges, scopes, tokens, trusted realms.
//! - [`proxy`]: the path of a request from the client to the registry and back; its drawing is the best introduction.
//! - [`admin`]: liveness, readiness, metrics and the status page.
//! - [`serve`]: wires everything together, binds listeners, reloads and drains.
//! - [`cli`]: the command line.
//!
//! `ARCHITECTURE.md` has the whole picture.

pub mod base;
pub mod oci;
pub mod observe;
pub mod profile;
pub mod net;
pub mod listen;
pub mod config;
pub mod setup;
pub mod credential;
pub mod clients;
pub mod upstream;
pub mod auth;
pub mod proxy;
pub mod admin;
pub mod serve;
pub mod cli;

/// The `User-Agent` of requests to registries.
pub const AGENT: &str = concat!("regpass/", env!("CARGO_PKG_VERSION"));

//! regpass: a local authenticating reverse proxy for OCI registries.
//!
//! The modules are floors; each may import from those before it and from no other (`tests/floors.rs`). The request
//! path is drawn in [`proxy`]; `ARCHITECTURE.md` has the whole picture.

pub mod base;
pub mod oci;
pub mod observe;
pub mod profile;
pub mod net;
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

/// How regpass names itself to registries.
pub const AGENT: &str = concat!("regpass/", env!("CARGO_PKG_VERSION"));

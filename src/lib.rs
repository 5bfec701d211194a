pub mod auth;
pub mod base;
pub mod config;
pub mod credential;
pub mod oci;
pub mod profile;
pub mod proxy;
pub mod upstream;

/// How regpass names itself to registries.
pub const AGENT: &str = concat!("regpass/", env!("CARGO_PKG_VERSION"));

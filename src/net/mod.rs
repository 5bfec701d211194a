//! The HTTP client: connections, proxies, TLS, bodies and timeouts. Knows nothing about registries.

mod address_class;
pub mod address_policy;
pub mod body;
pub mod cause;
pub mod circuit;
pub mod client;
mod content_length;
pub mod dial;
mod direct_connector;
pub mod error;
#[cfg(test)]
pub(crate) mod fixture;
mod happy_eyeballs;
mod ip_literal;
pub mod pem;
pub mod progress;
pub mod proxies;
mod received;
mod repetition;
pub mod request;
pub mod retry_after;
pub mod seen_origins;
mod server_verifier;
pub mod spool;
pub(crate) mod stream;
pub mod tls;
pub(crate) mod tls_error;
mod tunnel;
mod uri;
pub(crate) mod write_timeout;

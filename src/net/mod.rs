//! Sockets, TLS, the HTTP client, bodies and the accept loop. Knows nothing of registries.

pub mod address;
pub mod body;
pub mod busy;
pub mod circuit;
pub mod client;
pub mod dial;
mod direct;
pub mod error;
#[cfg(test)]
mod fixture;
mod handshake;
pub mod listen;
pub mod pace;
pub mod payload;
pub mod peer;
pub mod pem;
pub mod pieces;
pub mod progress;
pub mod proxies;
mod race;
pub mod request;
pub mod server_tls;
pub mod socket;
mod sparing;
pub mod spool;
mod stall;
mod stream;
pub mod tls;
mod tunnel;

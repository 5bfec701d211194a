//! Listeners: sockets, TLS towards clients, the accept loop, and HTTP on each connection.

pub mod accept;
pub mod address;
pub mod connection;
pub mod connections;
mod handshake;
mod log_throttle;
pub mod peer;
pub mod shutdown;
pub mod socket;
pub mod tls;
mod usage;

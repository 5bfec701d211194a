//! Who is at the other end of a connection, as far as the connection itself proves it.

use std::net::SocketAddr;

/// Goes with every request of the connection, among its extensions.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Where a TCP connection comes from.
    pub address: Option<SocketAddr>,
    /// The user of the process that connected to a unix socket (`SO_PEERCRED`).
    pub uid: Option<u32>,
    /// The certificate that was shown and found good.
    pub certificate: Option<Shown>,
}

/// A client's certificate.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its subject's common name, or the first of its other names.
    pub name: Option<Box<str>>,
}

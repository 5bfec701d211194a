//! What a connection proves about its client.

use std::net::{IpAddr, SocketAddr};

/// What regpass knows about the client of a connection. Every request of the connection carries it as an extension.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The client's address; `None` on a unix socket.
    pub address: Option<SocketAddr>,
    /// The user of the process that connected to a unix socket (`SO_PEERCRED`); `None` over TCP.
    pub uid: Option<u32>,
    /// The client's verified certificate; `None` if the listener does not ask for one.
    pub certificate: Option<ClientCertificate>,
}

/// The certificate that a client authenticated with.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The subject's common name, else the first DNS, mail or URI name of `subjectAltName`. `None` if there is none or
    /// it is empty.
    pub name: Option<Box<str>>,
}

/// Which client a connection belongs to. `None` for loopback addresses: behind those are all clients of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PeerKey {
    /// An IPv4 address, or the network of an IPv6 address: a host usually has all addresses of a /64.
    Network(u64),
    /// The user of a unix socket's client.
    User(u32),
}

impl PeerKey {
    pub(super) fn of(peer: &Peer) -> Option<Self> {
        let Some(address) = peer.address else { return peer.uid.map(Self::User) };
        let ip = address.ip().to_canonical();
        match ip {
            ip if ip.is_loopback() => None,
            IpAddr::V4(v4) => Some(Self::Network(u64::from(v4.to_bits()))),
            IpAddr::V6(v6) => Some(Self::Network((v6.to_bits() >> 64) as u64)),
        }
    }
}

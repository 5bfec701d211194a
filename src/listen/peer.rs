//! What a connection proves about its client.

use std::net::SocketAddr;

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

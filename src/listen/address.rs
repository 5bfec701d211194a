//! Addresses to listen on.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The address of a listener: a TCP address or the path of a unix socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenAddress {
    Tcp(SocketAddr),
    /// An absolute path.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Whether only clients on this machine can reach a listener at this address.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Whether the kernel chooses the port (port 0).
    pub fn has_dynamic_port(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.port() == 0)
    }

    /// Whether this is a wildcard address (`0.0.0.0`, `[::]`) that includes `other`. A socket at this address has to
    /// share its port before `other` can be bound.
    pub fn covers(&self, other: &Self) -> bool {
        let (Self::Tcp(own), Self::Tcp(other)) = (self, other) else { return false };
        let is_wider = own.ip().is_unspecified() && own.ip() != other.ip();
        is_wider && own.port() == other.port() && (own.is_ipv6() || other.is_ipv4())
    }

    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_address_covers_narrower_ones_on_its_port() {
        let at = |text: &str| ListenAddress::Tcp(text.parse().unwrap());
        for (wide, narrow) in
            [("0.0.0.0:1", &["127.0.0.1:1"][..]), ("[::]:1", &["127.0.0.1:1", "[::1]:1", "0.0.0.0:1"])]
        {
            for narrow in narrow {
                assert!(at(wide).covers(&at(narrow)), "{wide} covers {narrow}");
            }
        }
        for other in ["127.0.0.1:2", "[::1]:1", "0.0.0.0:1", "[::]:1"] {
            assert!(!at("0.0.0.0:1").covers(&at(other)), "0.0.0.0:1 does not cover {other}");
        }
        assert!(!at("127.0.0.1:1").covers(&at("0.0.0.0:1")));
        assert!(!at("0.0.0.0:1").covers(&ListenAddress::Unix("/s".into())));
    }
}

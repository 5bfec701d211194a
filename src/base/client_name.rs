//! Who a client of regpass is.

use std::fmt;

/// The name that a listener's rule gives to whoever it lets in. Only what was proved makes one: a password, a
/// certificate, a secret, or the kernel's word on the other end of a unix socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientName {
    /// A user of an htpasswd file, or the name in a certificate.
    Named(Box<str>),
    /// Whoever has the listener's bearer secret.
    Bearer,
    /// A user of this machine, by number.
    Uid(u32),
}

impl ClientName {
    /// As a configuration writes it: `alice`, `bearer`, `uid:1000`. A name is never empty, and `uid:` takes a number.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("uid:") {
            Some(uid) => uid.parse().ok().map(Self::Uid),
            None if text == "bearer" => Some(Self::Bearer),
            None => (!text.is_empty()).then(|| Self::Named(text.into())),
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Bearer => f.write_str("bearer"),
            Self::Uid(uid) => write!(f, "uid:{uid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (text, name) in [
            ("alice", Some(ClientName::Named("alice".into()))),
            ("bearer", Some(ClientName::Bearer)),
            ("uid:1000", Some(ClientName::Uid(1000))),
            ("uid:root", None),
            ("uid:", None),
            ("uid:-1", None),
            ("", None),
        ] {
            let parsed = ClientName::parse(text);
            assert_eq!(parsed, name, "{text}");
            assert!(parsed.is_none_or(|parsed| parsed.to_string() == text), "{text}");
        }
    }

    #[test]
    fn a_certificate_cannot_call_itself_somebody_else() {
        assert_ne!(Some(ClientName::Named("uid:0".into())), ClientName::parse("uid:0"));
        assert_ne!(Some(ClientName::Named("bearer".into())), ClientName::parse("bearer"));
    }
}

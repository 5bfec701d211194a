//! The identity of a client of regpass.

use std::fmt;

/// The name under which a listener authenticated a client: by a password, a certificate, a bearer secret, or the user
/// of a unix socket's peer as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientName {
    /// A user of an htpasswd file, or the name in a certificate.
    Named(Box<str>),
    /// A client with the listener's bearer secret.
    Bearer,
    /// A client on a unix socket, by the user ID of its process.
    Uid(u32),
}

impl ClientName {
    /// Parses the configuration's form: `alice`, `bearer`, `uid:1000`. `None` for an empty name and for `uid:` without
    /// a number.
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
    fn parsing_and_display_agree() {
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
    fn a_certificate_name_never_equals_a_uid_or_bearer_client() {
        assert_ne!(Some(ClientName::Named("uid:0".into())), ClientName::parse("uid:0"));
        assert_ne!(Some(ClientName::Named("bearer".into())), ClientName::parse("bearer"));
    }
}

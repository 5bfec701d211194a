//! Whom the operator trusts beside a registry itself.

use std::fmt;

use crate::base::origin::{Origin, Scheme};

/// A host at any port, a host at one port, or one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedHost {
    /// `None`: either.
    pub scheme: Option<Scheme>,
    /// Lower case; an IPv6 literal keeps its brackets.
    pub host: Box<str>,
    /// `None`: any. Where there is a scheme, a port that was not written is the scheme's own.
    pub port: Option<u16>,
}

impl TrustedHost {
    pub fn matches(&self, origin: &Origin) -> bool {
        self.host == origin.host
            && self.scheme.is_none_or(|scheme| scheme == origin.scheme)
            && self.port.is_none_or(|port| port == origin.port)
    }
}

impl fmt::Display for TrustedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{}://", scheme.as_str())?;
        }
        f.write_str(&self.host)?;
        match self.port {
            Some(port) if self.scheme.is_none_or(|scheme| scheme.default_port() != port) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::origin::Url;
    use crate::config::values;

    #[test]
    fn what_is_left_open_matches_everything() {
        let origins = [
            "https://a.io",
            "https://a.io:8443",
            "http://a.io",
            "http://a.io:8443",
            "http://a.io:443",
            "https://sub.a.io",
            "https://xa.io",
            "https://a.io.evil.example",
        ];
        for (text, matched) in [
            ("a.io", &origins[..5]),
            ("a.io:8443", &["https://a.io:8443", "http://a.io:8443"]),
            ("a.io:443", &["https://a.io", "http://a.io:443"]),
            ("https://a.io", &["https://a.io"]),
            ("https://a.io:443", &["https://a.io"]),
            ("https://a.io:8443", &["https://a.io:8443"]),
            ("http://A.io", &["http://a.io"]),
            ("b.io", &[]),
        ] {
            let trusted = values::trusted_host(text).unwrap();
            let matches = |origin: &&str| trusted.matches(&Url::parse(origin).unwrap().origin);
            assert_eq!(origins.into_iter().filter(matches).collect::<Vec<_>>(), matched, "{text}");
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["a.io", "a.io:443", "[::1]:80", "https://a.io", "http://a.io:443", "https://[::1]:8443"] {
            assert_eq!(values::trusted_host(text).unwrap().to_string(), text);
        }
        assert_eq!(values::trusted_host("https://A.io:443/").unwrap().to_string(), "https://a.io");
    }
}

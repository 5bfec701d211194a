//! Hosts that the operator trusts with a registry's credentials or uploads.

use std::fmt;

use crate::base::origin::{Origin, Scheme};

/// A trusted host: at any port, at one port, or as one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedHost {
    /// `None`: both http and https.
    pub scheme: Option<Scheme>,
    /// Lower case; an IPv6 literal keeps its brackets.
    pub host: Box<str>,
    /// `None`: any port. With a scheme it is never `None`: the default is the port of the scheme.
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
    fn a_missing_scheme_or_port_matches_any() {
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
    fn the_displayed_form_parses_to_the_same_host() {
        for text in ["a.io", "a.io:443", "[::1]:80", "https://a.io", "http://a.io:443", "https://[::1]:8443"] {
            assert_eq!(values::trusted_host(text).unwrap().to_string(), text);
        }
        assert_eq!(values::trusted_host("https://A.io:443/").unwrap().to_string(), "https://a.io");
    }
}

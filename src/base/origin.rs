//! Origins and URLs. Credentials are bound to an origin: scheme, host and port.

use std::fmt;

use http::Uri;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An RFC 6454 origin. The host is lower case; an IPv6 literal keeps its brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    pub scheme: Scheme,
    pub host: Box<str>,
    pub port: u16,
}

impl Origin {
    /// The origin of `https://<authority>`, which is how the first component of an image name is read.
    pub fn https(authority: &str) -> Result<Self, BadUrl> {
        Url::parse(&format!("https://{authority}/")).map(|url| url.origin)
    }

    pub fn has_default_port(&self) -> bool {
        self.port == self.scheme.default_port()
    }

    /// The value of a `Host` header: `host`, or `host:port` if the port is not the scheme's default.
    pub fn authority(&self) -> String {
        if self.has_default_port() { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

/// An absolute `http` or `https` URL without user information or fragment.
///
/// `Display` omits the query, because signed URLs of redirects carry their signature there, which is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    pub origin: Origin,
    /// Starts with `/`.
    pub path: Box<str>,
    pub query: Option<Box<str>>,
}

impl Url {
    /// Parses an absolute URL (RFC 3986) and drops its fragment. User information, other schemes, a missing host and
    /// port 0 are errors.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::NotAbsolute)?;
        let scheme = if scheme.eq_ignore_ascii_case("https") {
            Scheme::Https
        } else if scheme.eq_ignore_ascii_case("http") {
            Scheme::Http
        } else {
            return Err(BadUrl::Scheme);
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let cut = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(cut);
        let (host, port) = split_authority(authority, scheme)?;
        let (path, query) = match tail.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (tail, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        let url = Self { origin: Origin { scheme, host, port }, path: path.into(), query: query.map(Into::into) };
        url.uri()?;
        Ok(url)
    }

    /// Resolves a reference such as a `Location` or a realm against this URL (RFC 3986, section 5.2).
    pub fn join(&self, reference: &str) -> Result<Self, BadUrl> {
        let reference = reference.trim().split('#').next().unwrap_or_default();
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.origin.scheme.as_str()));
        }
        let scheme_end = reference.find([':', '/', '?']).filter(|&at| reference[at..].starts_with(':'));
        if scheme_end.is_some() {
            return Self::parse(reference);
        }
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query.into())),
            None => (reference, None),
        };
        let (path, query) = if path.is_empty() {
            (self.path.to_string(), query.or_else(|| self.query.clone()))
        } else if path.starts_with('/') {
            (remove_dot_segments(path), query)
        } else {
            let directory = self.path.rfind('/').map_or("/", |at| &self.path[..=at]);
            (remove_dot_segments(&format!("{directory}{path}")), query)
        };
        let url = Self { origin: self.origin.clone(), path: path.into(), query };
        url.uri()?;
        Ok(url)
    }

    /// Path and query, as in a request line.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.to_string(),
        }
    }

    pub fn uri(&self) -> Result<Uri, BadUrl> {
        Uri::builder()
            .scheme(self.origin.scheme.as_str())
            .authority(self.origin.authority())
            .path_and_query(self.target())
            .build()
            .map_err(|_| BadUrl::Characters)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Why a text is not a URL that regpass can send a request to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    #[error("it contains characters that are not allowed in a URL")]
    Characters,
    #[error("it has no host")]
    Host,
    #[error("it is not an absolute URL")]
    NotAbsolute,
    #[error("its port is not a number from 1 to 65535")]
    Port,
    #[error("its scheme is neither http nor https")]
    Scheme,
    #[error("it contains user information before the host")]
    UserInfo,
}

fn split_authority(authority: &str, scheme: Scheme) -> Result<(Box<str>, u16), BadUrl> {
    if authority.contains('@') {
        return Err(BadUrl::UserInfo);
    }
    let (host, port) = match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => (&authority[..at], Some(&authority[at + 1..])),
        _ => (authority, None),
    };
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let is_v6 = host.starts_with('[') && host.ends_with(']') && plain.parse::<std::net::Ipv6Addr>().is_ok();
    let is_name =
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !is_v6 && !is_name {
        return Err(if host.is_empty() { BadUrl::Host } else { BadUrl::Characters });
    }
    let port = match port {
        Some(digits) => digits.parse().ok().filter(|&port| port != 0).ok_or(BadUrl::Port)?,
        None => scheme.default_port(),
    };
    Ok((host.to_ascii_lowercase().into(), port))
}

/// Removes dot segments from a path that starts with `/` (RFC 3986, section 5.2.4).
fn remove_dot_segments(path: &str) -> String {
    let mut output: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." if is_last => output.push(""),
            "." => {}
            ".." => {
                output.pop();
                if is_last {
                    output.push("");
                }
            }
            _ => output.push(segment),
        }
    }
    format!("/{}", output.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_parse_into_lower_case_origins() {
        for (text, origin, target) in [
            ("https://GHCR.io/token?x=1#f", "https://ghcr.io", "/token?x=1"),
            ("HTTP://[::1]:5000", "http://[::1]:5000", "/"),
            ("https://a.io:443?q", "https://a.io", "/?q"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.origin.to_string().as_str(), url.target().as_str()), (origin, target), "{text}");
        }
    }

    #[test]
    fn unusable_urls_are_rejected_with_the_reason() {
        for (why, texts) in [
            (BadUrl::NotAbsolute, &["token", "//host/x"][..]),
            (BadUrl::Scheme, &["ftp://a.io/"]),
            (BadUrl::UserInfo, &["https://user:pw@a.io/"]),
            (BadUrl::Host, &["https:///x"]),
            (BadUrl::Port, &["https://a.io:99999/", "https://a.io:/"]),
            (BadUrl::Characters, &["https://a b/", "https://a.io/a b", "https://[::1/"]),
        ] {
            for text in texts {
                assert_eq!(Url::parse(text), Err(why), "{text}");
            }
        }
    }

    #[test]
    fn references_resolve_against_their_base() {
        let base = Url::parse("https://r.io/v2/a/blobs/x?old=1").unwrap();
        for (reference, full) in [
            ("/artifacts-downloads/y?s=1", "https://r.io/artifacts-downloads/y?s=1"),
            ("y", "https://r.io/v2/a/blobs/y"),
            ("../tags/list?n=1", "https://r.io/v2/a/tags/list?n=1"),
            ("/a/./b/../c", "https://r.io/a/c"),
            ("?n=2", "https://r.io/v2/a/blobs/x?n=2"),
            ("//cdn.io/z", "https://cdn.io/z"),
            ("http://cdn.io:8080/z?q=a/b:c", "http://cdn.io:8080/z?q=a/b:c"),
            ("/x?u=https://e.io/", "https://r.io/x?u=https://e.io/"),
        ] {
            let joined = base.join(reference).unwrap();
            assert_eq!(format!("{}{}", joined.origin, joined.target()), full, "{reference}");
        }
        assert_eq!(base.join("javascript:alert(1)"), Err(BadUrl::NotAbsolute));
    }

    #[test]
    fn display_omits_the_query() {
        assert_eq!(Url::parse("https://cdn.io/x?sig=secret").unwrap().to_string(), "https://cdn.io/x");
    }
}

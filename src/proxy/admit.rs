//! Who may speak to a listener at all: the checks that keep web pages and strangers out.
//!
//! regpass lends its logins to whoever reaches it, so a page in a browser must not: neither by a cross-site request
//! (foreign `Origin`) nor through a name that was pointed at this machine (foreign `Host`, DNS rebinding). Nor may those
//! whom the listener's own rule does not let in.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::header::{HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, StatusCode, Uri, Version, request};

use tracing::warn;

use super::failure::Failure;
use crate::base::client_name::ClientName;
use crate::base::host::RegistryHost;
use crate::clients::{Door, Refused};
use crate::config::model::Listener;
use crate::net::peer::Peer;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;

/// What a request needs to know of the listener it came in by.
#[derive(Clone, Debug)]
pub struct Front {
    /// The one registry this listener serves.
    pub pinned: Option<RegistryHost>,
    /// Further names it answers to.
    pub hosts: BTreeSet<Box<str>>,
    /// Whether it answers to those names only.
    pub checks_host: bool,
    /// Who may use it.
    pub door: Door,
}

impl Front {
    pub fn new(listener: &Listener, door: Door) -> Self {
        Self {
            pinned: listener.registry.clone(),
            hosts: listener.hosts.clone(),
            checks_host: listener.checks_host(),
            door,
        }
    }
}

/// The authority a client addressed, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// Lower case, without port; brackets of an IPv6 literal kept.
    pub name: Box<str>,
    full: Box<str>,
}

/// Checks method form, `Host` and `Origin`. `is_virtual_host` knows the names of configured registries.
pub fn admit(
    front: &Front,
    head: &request::Parts,
    is_virtual_host: impl Fn(&str) -> bool,
) -> Result<Option<Addressed>, Failure> {
    if head.method == Method::CONNECT {
        return Err(refused(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Unsupported,
            "regpass is no forward proxy: CONNECT is not supported",
        ));
    }
    let addressed = addressed(&head.uri, &head.headers, head.version, front.checks_host)?;
    if let Some(addressed) = &addressed
        && front.checks_host
        && !is_local_name(&addressed.name)
        && !front.hosts.contains(&addressed.name)
        && !is_virtual_host(&addressed.name)
    {
        let message = format!(
            "this listener does not answer to the host name '{}'; add it to the listener's 'hosts' if it should",
            addressed.name.escape_debug()
        );
        return Err(refused(StatusCode::FORBIDDEN, ErrorCode::Denied, message));
    }
    for origin in head.headers.get_all(ORIGIN) {
        let same = addressed.as_ref().is_some_and(|addressed| {
            let origin = origin.to_str().unwrap_or_default();
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            authority.is_some_and(|authority| authority.eq_ignore_ascii_case(&addressed.full))
        });
        if !same {
            return Err(refused(
                StatusCode::FORBIDDEN,
                ErrorCode::Denied,
                "requests made by web pages of another origin are refused",
            ));
        }
    }
    Ok(addressed)
}

/// Lets in whom the listener's rule lets in, and says who that is as far as it is known.
pub async fn identify(front: &Front, head: &request::Parts) -> Result<Option<ClientName>, Failure> {
    let nobody = Peer::default();
    let peer = head.extensions.get().unwrap_or(&nobody);
    front.door.admit(&head.headers, peer).await.map_err(turned_away)
}

/// As [`identify`], for those who cannot log in: probes.
pub fn identify_user(front: &Front, head: &request::Parts) -> Result<(), Failure> {
    let nobody = Peer::default();
    front.door.admit_user(head.extensions.get().unwrap_or(&nobody)).map_err(turned_away)
}

fn turned_away(why: Refused) -> Failure {
    let message = why.to_string();
    match why {
        Refused::NoLogin | Refused::WrongLogin => {
            refused(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message).with_header(WWW_AUTHENTICATE, CHALLENGE)
        }
        Refused::NoCertificate | Refused::Uid(_) => refused(StatusCode::FORBIDDEN, ErrorCode::Denied, message),
        Refused::Busy => {
            refused(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, message).with_header(RETRY_AFTER, "5")
        }
        Refused::Unreadable(error) => {
            warn!(blame = "configuration", %error, "nobody can be let in");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Failure::new(status, ErrorCode::Unavailable, Blame::Configuration, Step::Admit, message)
        }
    }
}

/// The absolute form's authority, else `Host` (RFC 9112, section 3.2). Only HTTP/1.0 may come without.
fn addressed(uri: &Uri, headers: &HeaderMap, version: Version, is_checked: bool) -> Result<Option<Addressed>, Failure> {
    let bad = |what| refused(StatusCode::BAD_REQUEST, ErrorCode::Unknown, what);
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (uri.authority(), hosts.next(), hosts.next()) {
        (_, _, Some(_)) => return Err(bad("the request has more than one Host header")),
        (Some(authority), _, None) => authority.as_str().to_owned(),
        (None, Some(host), None) => host.to_str().map_err(|_| bad("the Host header is not text"))?.trim().to_owned(),
        (None, None, None) if version == Version::HTTP_10 => return Ok(None),
        (None, None, None) => return Err(bad("the request has no Host header")),
    };
    let (name, port) = match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => (&host[..at], &host[at + 1..]),
        _ => (&*host, ""),
    };
    // `localhost:80@evil.example` is evil.example's to some readers.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad("the Host header holds more than a name and a port"));
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name.is_empty() {
        // What goes through a unix socket has no name that means anything.
        if !is_checked {
            return Ok(None);
        }
        return Err(bad("the Host header is empty"));
    }
    Ok(Some(Addressed { name: name.into(), full: host.into() }))
}

/// `localhost` and everything below it (RFC 6761, section 6.3), and addresses: names nobody can point elsewhere.
fn is_local_name(name: &str) -> bool {
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.ends_with(".localhost") || literal.parse::<IpAddr>().is_ok()
}

/// regpass's own, never a registry's.
const CHALLENGE: &str = "Basic realm=\"regpass\"";

fn refused(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Failure {
    Failure::new(status, code, Blame::Client, Step::Admit, message)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::net::socket::ListenAddress;

    fn status(headers: &[(&str, &str)], uri: &str, version: Version) -> Result<Option<String>, u16> {
        let mut request = Request::builder().uri(uri).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let listener = Listener {
            hosts: BTreeSet::from(["regpass".into()]),
            ..Listener::at(ListenAddress::Tcp("127.0.0.1:5050".parse().unwrap()))
        };
        let front = Front::new(&listener, Door::default());
        let (head, ()) = request.body(()).unwrap().into_parts();
        admit(&front, &head, |name| name == "ghcr.corp.example")
            .map(|addressed| addressed.map(|addressed| addressed.name.into()))
            .map_err(|failure| failure.status.as_u16())
    }

    #[test]
    fn only_own_names_are_answered() {
        for (host, answer) in [
            ("localhost:5050", Ok(Some("localhost"))),
            ("LOCALHOST", Ok(Some("localhost"))),
            ("ghcr.io.localhost:5050", Ok(Some("ghcr.io.localhost"))),
            ("127.0.0.1:5050", Ok(Some("127.0.0.1"))),
            ("[::1]:5050", Ok(Some("[::1]"))),
            ("regpass:5050", Ok(Some("regpass"))),
            ("ghcr.corp.example", Ok(Some("ghcr.corp.example"))),
            ("localhost.", Ok(Some("localhost"))),
            ("evil.example:5050", Err(403)),
            ("localhost.evil.example", Err(403)),
            ("127.0.0.1.evil.example", Err(403)),
            ("evil-localhost", Err(403)),
            ("", Err(400)),
        ] {
            let got = status(&[("host", host)], "/v2/", Version::HTTP_11);
            assert_eq!(got, answer.map(|name| name.map(ToOwned::to_owned)), "{host}");
        }
    }

    #[test]
    fn the_absolute_form_names_the_host() {
        assert_eq!(status(&[("host", "localhost")], "http://evil.example/v2/", Version::HTTP_11), Err(403));
        assert_eq!(status(&[], "/v2/", Version::HTTP_11), Err(400));
        assert_eq!(status(&[], "/v2/", Version::HTTP_10), Ok(None));
        assert_eq!(status(&[("host", "localhost"), ("host", "evil")], "/v2/", Version::HTTP_11), Err(400));
    }

    #[test]
    fn foreign_origins_are_refused() {
        for (origin, refused) in [
            ("http://localhost:5050", false),
            ("http://evil.example", true),
            ("http://localhost:8080", true),
            ("https://localhost:5050.evil.example", true),
            ("null", true),
            ("", true),
        ] {
            let got = status(&[("host", "localhost:5050"), ("origin", origin)], "/v2/", Version::HTTP_11);
            assert_eq!(got.is_err(), refused, "{origin}");
        }
    }
}

//! Check of `Host`, which keeps web pages from using regpass by DNS rebinding: by a foreign host name that resolves to
//! this machine. [`foreign_page`](super::foreign_page) checks the other ways of a page.

use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, Method, StatusCode, Uri, Version, request};

use super::error_response::ErrorResponse;
use super::listener::ListenerContext;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;

/// The host that the client addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHost {
    /// Lower case, without port and trailing dot, with the brackets of an IPv6 literal.
    pub name: Box<str>,
    /// Name and port as the client sent them, to compare with `Origin`.
    pub authority: Box<str>,
}

/// Checks `Host` and returns the requested host, or `None` if the request names none. `is_virtual_host` recognizes the
/// host names of configured registries.
///
/// # Errors
///
/// 400 for a missing or malformed `Host`, 403 for a foreign host (if the listener checks it), 405 for CONNECT.
pub fn check_host(
    listener: &ListenerContext,
    head: &request::Parts,
    is_virtual_host: impl Fn(&str) -> bool,
) -> Result<Option<RequestHost>, ErrorResponse> {
    if head.method == Method::CONNECT {
        return Err(client_error(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Unsupported,
            "CONNECT is not supported: regpass is not a forward proxy",
        ));
    }
    let host = requested_host(&head.uri, &head.headers, head.version, listener.checks_host)?;
    if let Some(host) = &host
        && listener.checks_host
        && !is_local_name(&host.name)
        && !listener.hosts.contains(&host.name)
        && !is_virtual_host(&host.name)
    {
        let message = format!(
            "the host name '{}' is not allowed on this listener; to allow it, add it to `hosts` of the listener",
            host.name.escape_debug()
        );
        return Err(client_error(StatusCode::FORBIDDEN, ErrorCode::Denied, message));
    }
    Ok(host)
}

/// The authority of a request target in absolute form, else of `Host` (RFC 9112, section 3.2). Only an HTTP/1.0 request
/// may have neither.
fn requested_host(
    uri: &Uri,
    headers: &HeaderMap,
    version: Version,
    is_required: bool,
) -> Result<Option<RequestHost>, ErrorResponse> {
    let bad = |what| client_error(StatusCode::BAD_REQUEST, ErrorCode::Unknown, what);
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
    // Some parsers take `localhost:80@evil.example` for the host evil.example.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad("the Host header is not a name with an optional port"));
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name.is_empty() {
        // Where `Host` is not checked it may be empty, as some clients of a unix socket send it.
        if !is_required {
            return Ok(None);
        }
        return Err(bad("the Host header is empty"));
    }
    Ok(Some(RequestHost { name: name.into(), authority: host.into() }))
}

/// Whether DNS rebinding is impossible, because the name is `localhost`, below it (RFC 6761, section 6.3) or an IP
/// address.
fn is_local_name(name: &str) -> bool {
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.ends_with(".localhost") || literal.parse::<IpAddr>().is_ok()
}

fn client_error(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> ErrorResponse {
    ErrorResponse::new(status, code, Blame::Client, Step::Admit, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::Request;

    use super::*;
    use crate::clients::ClientAuth;
    use crate::config::model::Listener;
    use crate::listen::address::ListenAddress;

    fn checked(headers: &[(&str, &str)], uri: &str, version: Version) -> Result<Option<String>, u16> {
        let mut request = Request::builder().uri(uri).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let listener = Listener {
            hosts: BTreeSet::from(["regpass".into()]),
            ..Listener::at(ListenAddress::Tcp("127.0.0.1:5050".parse().unwrap()))
        };
        let listener = ListenerContext::new(&listener, ClientAuth::default());
        let (head, ()) = request.body(()).unwrap().into_parts();
        check_host(&listener, &head, |name| name == "ghcr.corp.example")
            .map(|host| host.map(|host| host.name.into()))
            .map_err(|error| error.status.as_u16())
    }

    #[test]
    fn foreign_host_names_are_rejected() {
        for (host, expected) in [
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
            let got = checked(&[("host", host)], "/v2/", Version::HTTP_11);
            assert_eq!(got, expected.map(|name| name.map(ToOwned::to_owned)), "{host}");
        }
    }

    #[test]
    fn the_absolute_form_takes_precedence_over_the_host_header() {
        assert_eq!(checked(&[("host", "localhost")], "http://evil.example/v2/", Version::HTTP_11), Err(403));
        assert_eq!(checked(&[], "/v2/", Version::HTTP_11), Err(400));
        assert_eq!(checked(&[], "/v2/", Version::HTTP_10), Ok(None));
        assert_eq!(checked(&[("host", "localhost"), ("host", "evil")], "/v2/", Version::HTTP_11), Err(400));
    }
}

//! URLs by which the client reaches this regpass, for `Location` and `Link`.

use http::uri::Authority;

use super::host_check::RequestHost;
use super::listener::ListenerContext;
use crate::oci::query::Query;

/// The parts of the client's URL that URLs in responses repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientUrls {
    /// Scheme and authority, without a slash at the end. Empty on a listener with relative URLs.
    base: Box<str>,
    /// The path components that name the registry, as the client wrote them.
    pub prefix: Option<Box<str>>,
    /// The value of `ns`, as the client wrote it.
    pub ns: Option<Box<str>>,
}

impl ClientUrls {
    /// The URLs of a request at `listener`. They are relative unless the listener has `absolute_locations` and the
    /// client named a host: the scheme is that of the listener, name and port are those that the client sent. Headers
    /// such as `X-Forwarded-Host` do not count, because any client can send them.
    pub fn new(listener: &ListenerContext, host: Option<&RequestHost>) -> Self {
        let scheme = if listener.has_tls { "https" } else { "http" };
        let authority = host
            .filter(|_| listener.absolute_locations)
            .and_then(|host| host.authority.parse::<Authority>().ok())
            .filter(|authority| !authority.as_str().contains('@'));
        let base = authority.map(|authority| format!("{scheme}://{authority}")).unwrap_or_default();
        Self { base: base.into(), prefix: None, ns: None }
    }

    /// The URL by which the client reaches `path_below_v2` of the registry that its request selected.
    pub fn url(&self, path_below_v2: &str, mut query: Query) -> String {
        if let Some(ns) = &self.ns {
            query.set("ns", ns);
        }
        let prefix = self.prefix.as_ref().map(|prefix| format!("/{prefix}")).unwrap_or_default();
        self.at(&query.append_to(&format!("/v2{prefix}{path_below_v2}")))
    }

    /// The URL of a path and query of this regpass.
    pub fn at(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.base)
    }
}

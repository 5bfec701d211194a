//! The host, port and scheme of a request's URI.

use http::Uri;

use crate::base::origin::Scheme;

/// The host, without the brackets of an IPv6 address. Empty if the URI has none.
pub(super) fn bare_host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// The explicit port, else the default of the scheme.
pub(super) fn port_of(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(scheme_of(uri).default_port())
}

/// `Https` only for `https`; every other scheme is plain text.
pub(super) fn scheme_of(uri: &Uri) -> Scheme {
    if uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http }
}

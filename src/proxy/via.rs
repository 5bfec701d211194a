//! The `Via` header, by which regpass detects request loops.

use http::HeaderMap;
use http::header::VIA;
use http::request::Parts;

use super::Proxy;

/// Whether the request has been through this process before, because an upstream URL leads back to it.
pub fn is_loop(proxy: &Proxy, head: &Parts) -> bool {
    head.headers.get_all(VIA).iter().any(|via| via.to_str().is_ok_and(|via| via.contains(&*proxy.instance)))
}

/// The `Via` of an upstream request: the regpass processes that the request came through, and this one. In a loop of
/// several, each of them must find its own entry. Other entries of the client's `Via` are dropped.
pub fn value(proxy: &Proxy, client: &HeaderMap) -> String {
    let lines = client.get_all(VIA).iter().filter_map(|line| line.to_str().ok());
    let own = format!("1.1 {}", proxy.instance);
    let mut all: Vec<&str> =
        lines.flat_map(|line| line.split(',')).map(str::trim).filter(|one| one.starts_with("1.1 regpass-")).collect();
    all.push(&own);
    all[all.len().saturating_sub(MAX_ENTRIES)..].join(", ")
}

/// Maximum number of regpass processes in `Via`. Of more, the last ones are kept.
const MAX_ENTRIES: usize = 16;

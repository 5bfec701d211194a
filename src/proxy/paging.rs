//! Paging of listings: the `Link` to the next page in one form for all registries, and pages that regpass cuts
//! itself.

use bytes::Bytes;
use http::header::LINK;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::classify::Call;
use crate::oci::link;
use crate::oci::operation::Operation;
use crate::oci::query::Query;
use crate::oci::referrers::ARTIFACT_TYPE;
use crate::oci::tag_page;

/// The `Link` to the next page for the client: at regpass, with the path of the client's request and the registry's
/// cursor unchanged. `None` if there is no next page or the operation is not a listing.
pub fn next_link(call: &Call, upstream: &HeaderMap) -> Option<HeaderValue> {
    let is_listing = matches!(
        call.operation,
        Operation::ListTags(_)
            | Operation::ListRepositories
            | Operation::ListReferrers(..)
            | Operation::ReadExtension(..)
    );
    let mut query = link::next_query(upstream).filter(|_| is_listing)?;
    query.remove("ns");
    query.remove_empty();
    // GHCR's link has `n=0` after a request without `n`; distribution's link omits the `n` of the request.
    if query.value("n").as_deref() == Some("0") {
        query.remove("n");
    }
    if query.is_empty() {
        return None;
    }
    if let Some(n) = call.query.raw("n").filter(|_| query.raw("n").is_none()) {
        query.set("n", n);
    }
    if matches!(call.operation, Operation::ListReferrers(..)) {
        // A page of another filter would be another list.
        query.complete_from(&call.query, ARTIFACT_TYPE);
    }
    link_to(call, query)
}

/// A link to the same listing with another query.
fn link_to(call: &Call, query: Query) -> Option<HeaderValue> {
    let path = call.routed.path.segments().join("/");
    let target = call.routed.client_urls.url(&format!("/{path}"), query);
    HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")).ok()
}

/// Replaces the registry's `Link` by the one for the client, or removes it if there is no next page.
pub fn rewrite_link(call: &Call, upstream: &HeaderMap, headers: &mut HeaderMap) {
    headers.remove(LINK);
    if let Some(link) = next_link(call, upstream) {
        headers.insert(LINK, link);
    }
}

/// Whether a list of tags may be longer than the requested page, so that regpass must read it: the client requested a page,
/// and the registry names no next one. Distribution 2 ignores `n` and `last`.
pub fn may_need_cut(call: &Call, headers: &HeaderMap) -> bool {
    matches!(call.operation, Operation::ListTags(_))
        && !headers.contains_key(LINK)
        && ["n", "last"].iter().any(|key| call.query.raw(key).is_some())
}

/// Cuts the requested page out of a list of tags, and links to the next page, if the registry ignored `n` or `last`. A
/// client that pages by `last` would otherwise get the same tags again and again.
pub fn cut(call: &Call, headers: &mut HeaderMap, document: Bytes) -> Bytes {
    if !may_need_cut(call, headers) {
        return document;
    }
    let Ok(mut list) = serde_json::from_slice::<Value>(&document) else { return document };
    let Some(Ok(tags)) = list.get("tags").map(Vec::<String>::deserialize) else { return document };
    let n = call.query.value("n").and_then(|n| n.parse().ok());
    let Some(page) = tag_page::cut(tags, n, call.query.value("last").as_deref()) else { return document };
    if let Some(next) = page.next {
        let mut query = call.query.clone();
        query.set("last", &next);
        headers.extend(link_to(call, query).map(|link| (LINK, link)));
    }
    list["tags"] = json!(page.tags);
    list.to_string().into()
}

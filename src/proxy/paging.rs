//! Paging of listings: the `Link` to the next page in one form for all registries, and page sizes.

use http::header::LINK;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::classify::Call;
use super::redirect::FetchOutcome;
use crate::oci::link;
use crate::oci::operation::Operation;
use crate::oci::query::Query;
use crate::oci::referrers::ARTIFACT_TYPE;

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
    let path = call.routed.path.segments().join("/");
    let target = call.routed.client_urls.url(&format!("/{path}"), query);
    HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")).ok()
}

/// The query to repeat a listing with, if the registry may have rejected its page size: some have a limit of their own
/// (distribution answers 400 above it, ECR 405). Without `n` they return a page of their own size.
pub fn query_without_page_size(call: &Call, outcome: &FetchOutcome) -> Option<Query> {
    let (FetchOutcome::Registry(response) | FetchOutcome::RedirectTarget(response)) = outcome else { return None };
    let is_rejected = matches!(response.status(), StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED);
    let is_listing = matches!(call.operation, Operation::ListTags(_) | Operation::ListRepositories);
    if !is_rejected || !is_listing || call.query.raw("n").is_none() {
        return None;
    }
    let mut query = call.query.clone();
    query.remove("n");
    Some(query)
}

/// Replaces the registry's `Link` by the one for the client, or removes it if there is no next page.
pub fn rewrite_link(call: &Call, upstream: &HeaderMap, headers: &mut HeaderMap) {
    headers.remove(LINK);
    if let Some(link) = next_link(call, upstream) {
        headers.insert(LINK, link);
    }
}

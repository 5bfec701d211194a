//! Paged listings: one form of `Link` for every registry.

use http::header::LINK;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::call::Call;
use super::redirect::Landing;
use crate::oci::link;
use crate::oci::operation::Operation;
use crate::oci::query::Query;

/// The `Link` to the next page as the client can follow it: relative, below the path the client asked for, with the
/// registry's cursor word for word. `None` when there is no next page.
pub fn next(call: &Call, upstream: &HeaderMap) -> Option<HeaderValue> {
    let listing =
        matches!(call.operation, Operation::ListTags(_) | Operation::ListRepositories | Operation::ListReferrers(..));
    let mut query = link::next_query(upstream).filter(|_| listing)?;
    query.remove("ns");
    query.drop_empty();
    // GHCR repeats the page size nobody gave as 0; distribution forgets the one that was given.
    if query.value("n").as_deref() == Some("0") {
        query.remove("n");
    }
    if query.is_empty() {
        return None;
    }
    if let Some(n) = call.query.raw("n").filter(|_| query.raw("n").is_none()) {
        query.set("n", n);
    }
    let below = call.routed.path.segments().join("/");
    let target = call.routed.outside.url(&format!("/{below}"), query);
    HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")).ok()
}

/// The query to ask a listing with once more, when it may be its page size that was refused: a registry may have a
/// limit of its own (distribution answers 400, ECR 405), and then gives as much as it likes when it is not asked.
pub fn without_size(call: &Call, landing: &Landing) -> Option<Query> {
    let (Landing::Registry(response) | Landing::Elsewhere(response)) = landing else { return None };
    let refused = matches!(response.status(), StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED);
    let listing = matches!(call.operation, Operation::ListTags(_) | Operation::ListRepositories);
    if !refused || !listing || call.query.raw("n").is_none() {
        return None;
    }
    let mut query = call.query.clone();
    query.remove("n");
    Some(query)
}

/// Puts the client's `Link` in place of the registry's.
pub fn relink(call: &Call, upstream: &HeaderMap, headers: &mut HeaderMap) {
    headers.remove(LINK);
    if let Some(link) = next(call, upstream) {
        headers.insert(LINK, link);
    }
}

//! Page sizes that a registry rejects.

use http::StatusCode;

use super::classify::Call;
use super::redirect::FetchOutcome;
use crate::oci::operation::Operation;
use crate::oci::query::Query;

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

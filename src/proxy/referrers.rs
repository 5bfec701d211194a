//! Recognizes registries without a referrers API, and referrers tags under which they return the subject instead of its
//! referrers.

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode, response};

use super::classify::Call;
use super::error_response::ErrorResponse;
use super::response_body;
use super::response_headers::DOCKER_CONTENT_DIGEST;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;
use crate::oci::reference::{Digest, Reference};

/// Whether the response means that the registry has no referrers API: 404, 405, 501, a redirect to a web site (GHCR), a
/// web page, or the 429 without `Retry-After` that such a site answers.
pub(super) fn is_api_missing(call: &Call, head: &response::Parts) -> bool {
    if !matches!(call.operation, Operation::ListReferrers(..)) {
        return false;
    }
    match head.status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => true,
        StatusCode::TOO_MANY_REQUESTS => {
            let is_web_page = response_body::is_web_page(&head.headers)
                || call.routed.upstream.profile().referrers_redirect_to_web_page;
            is_web_page && !head.headers.contains_key(RETRY_AFTER)
        }
        StatusCode::NOT_MODIFIED => false,
        // A web page with an error status is an outage or a denial, not a missing API. Reporting no referrers would
        // hide signatures.
        status => status.is_redirection() || (status.is_success() && response_body::is_web_page(&head.headers)),
    }
}

/// Whether a redirect points to a referrers API (registry.k8s.io redirects to that of another host), not to a web page.
pub(super) fn is_referrers_redirect(redirect: &HeaderMap, digest: &Digest) -> bool {
    let location = redirect.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = location.split(['?', '#']).next().unwrap_or_default();
    path.strip_suffix(digest.as_str()).is_some_and(|head| head.ends_with("/referrers/"))
}

/// A 404, after which clients use the referrers tag. An empty list of referrers would hide signatures.
pub(super) fn no_api_error(call: &Call) -> ErrorResponse {
    let message = format!("{} has no referrers API; clients use the referrers tag instead", call.registry());
    ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, Blame::Registry, Step::Registry, message)
}

/// Whether the response to a referrers tag is the subject itself: some registries return the manifest whose digest the
/// tag contains.
pub(super) fn is_subject_manifest(call: &Call, head: &response::Parts) -> bool {
    let Operation::ReadManifest(_, reference @ Reference::Tag(_)) = &call.operation else { return false };
    let digest = head.headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    call.routed.upstream.profile().referrers_tag_returns_subject
        && head.status.is_success()
        && digest.split_once(':').is_some_and(|(algorithm, hex)| reference.as_str() == format!("{algorithm}-{hex}"))
}

/// A 404 for a referrers tag that returns the subject.
pub(super) fn no_tag_error(call: &Call) -> ErrorResponse {
    let message = format!(
        "{} has no such referrers tag: it returned the manifest whose digest the tag contains",
        call.registry()
    );
    ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown, Blame::Registry, Step::Registry, message)
}

//! Registries without referrers, and those whose fallback tag is none.

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode, response};

use super::call::Call;
use super::document;
use super::failure::Failure;
use super::headers::DOCKER_CONTENT_DIGEST;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;
use crate::oci::reference::{Digest, Reference};

/// Whether the registry has no referrers API: 404, a redirect to a web site (GHCR), 405, a page, or a rate limit
/// that knows no end, which is what such pages answer.
pub(super) fn are_lacking(call: &Call, head: &response::Parts) -> bool {
    if !matches!(call.operation, Operation::ListReferrers(..)) {
        return false;
    }
    match head.status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => true,
        StatusCode::TOO_MANY_REQUESTS => {
            let is_page = document::is_web_page(&head.headers) || call.routed.upstream.profile().referrers_are_pages;
            is_page && !head.headers.contains_key(RETRY_AFTER)
        }
        StatusCode::NOT_MODIFIED => false,
        // A page beside another status is an outage or a refusal: to call that "no referrers" would hide signatures.
        status => status.is_redirection() || (status.is_success() && document::is_web_page(&head.headers)),
    }
}

/// Whether a redirect leads to the same question elsewhere, as registry.k8s.io's does, and not to a page about packages.
pub(super) fn are_asked_for_at(redirect: &HeaderMap, digest: &Digest) -> bool {
    let location = redirect.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = location.split(['?', '#']).next().unwrap_or_default();
    path.strip_suffix(digest.as_str()).is_some_and(|head| head.ends_with("/referrers/"))
}

/// 404 makes clients use the tag scheme; an invented empty index would hide signatures.
pub(super) fn no_api(call: &Call) -> Failure {
    let message = format!("{} has no referrers API here; clients fall back to the referrers tag", call.registry());
    Failure::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, Blame::Registry, Step::Registry, message)
}

/// Whether the tag that stands for a digest's referrers gave that digest's own manifest.
pub(super) fn are_the_subject_itself(call: &Call, head: &response::Parts) -> bool {
    let Operation::ReadManifest(_, reference @ Reference::Tag(_)) = &call.operation else { return false };
    let told = head.headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    call.routed.upstream.profile().reads_tags_as_digests
        && head.status.is_success()
        && told.split_once(':').is_some_and(|(algorithm, hex)| reference.as_str() == format!("{algorithm}-{hex}"))
}

pub(super) fn no_fallback(call: &Call) -> Failure {
    let message =
        format!("{} keeps no referrers under this tag: it gives the manifest whose digest it spells", call.registry());
    Failure::new(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown, Blame::Registry, Step::Registry, message)
}

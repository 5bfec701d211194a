//! Recognizes registries without a referrers API by their response to a request for it.

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode, response};

use super::super::classify::Call;
use super::super::response_body;
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;
use crate::oci::reference::Digest;

/// What the head of a response to a request for referrers says about the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The response is the API's own: a list or an error that the client must get.
    Present,
    /// There is no API. Certain responses are remembered; the others may concern this request only.
    Missing { is_certain: bool },
    /// The code in the error body decides.
    ByErrorCode,
}

/// Reads the head of a response. A registry without the API answers 404, 405, 406 or 501, redirects to a web site (GHCR),
/// sends a web page, or the 429 without `Retry-After` of such a page.
pub(super) fn verdict(call: &Call, head: &response::Parts) -> Verdict {
    match head.status {
        // The response to a HEAD has no error body, and the same path may exist for GET.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if call.is_head() => {
            Verdict::Missing { is_certain: false }
        }
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => Verdict::ByErrorCode,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Verdict::Missing { is_certain: true },
        StatusCode::NOT_ACCEPTABLE => Verdict::Missing { is_certain: false },
        StatusCode::NOT_MODIFIED => Verdict::Present,
        status if is_web_page_limit(call, status, &head.headers) => Verdict::Missing { is_certain: false },
        status if status.is_redirection() => Verdict::Missing { is_certain: true },
        // A web page with an error status is an outage or a denial, not a missing API. Reporting no referrers would
        // hide signatures.
        status if status.is_success() && response_body::is_web_page(&head.headers) => {
            Verdict::Missing { is_certain: true }
        }
        _ => Verdict::Present,
    }
}

/// Whether the 429 is the limit of a web site to which the registry redirects requests for referrers. A retry would not
/// help.
pub fn is_web_page_limit(call: &Call, status: StatusCode, headers: &HeaderMap) -> bool {
    let is_web_page =
        || response_body::is_web_page(headers) || call.routed.upstream.profile().referrers_redirect_to_web_page;
    matches!(call.operation, Operation::ListReferrers(..))
        && status == StatusCode::TOO_MANY_REQUESTS
        && !headers.contains_key(RETRY_AFTER)
        && is_web_page()
}

/// What the code of a 404 or 400 says about the API; `None` stands for a body in another format. A 404 with a code can
/// come from the API, about a repository or manifest that does not exist.
pub(super) fn verdict_by_code(status: StatusCode, code: Option<&str>) -> Verdict {
    match (status, code) {
        (_, Some(code)) if code == ErrorCode::Unsupported.as_str() => Verdict::Missing { is_certain: true },
        (StatusCode::NOT_FOUND, None) => Verdict::Missing { is_certain: true },
        (StatusCode::NOT_FOUND, Some(_)) => Verdict::Missing { is_certain: false },
        _ => Verdict::Present,
    }
}

/// Whether a redirect points to a referrers API (registry.k8s.io redirects to that of another host), not to a web page.
pub fn is_referrers_redirect(redirect: &HeaderMap, digest: &Digest) -> bool {
    let location = redirect.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = location.split(['?', '#']).next().unwrap_or_default();
    path.strip_suffix(digest.as_str()).is_some_and(|head| head.ends_with("/referrers/"))
}

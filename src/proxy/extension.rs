//! Recognizes registries without the extension of the API that a client reads.

use http::{StatusCode, response};

use super::classify::Call;
use super::error_response::ErrorResponse;
use super::response_body;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;

/// Whether the response means that the registry has no such extension, although its status is not a 404: a redirect,
/// by which registries send paths they do not know to a web site, or a web page.
pub(super) fn is_missing(call: &Call, head: &response::Parts) -> bool {
    matches!(call.operation, Operation::ReadExtension(..))
        && head.status != StatusCode::NOT_MODIFIED
        && (head.status.is_redirection() || (head.status.is_success() && response_body::is_web_page(&head.headers)))
}

/// The 404 for an extension that the registry does not have.
pub(super) fn missing_error(call: &Call) -> ErrorResponse {
    let message = format!("{} has no such extension of the distribution API", call.registry());
    ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, Blame::Registry, Step::Registry, message)
}

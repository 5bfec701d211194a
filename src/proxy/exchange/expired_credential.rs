//! Recognizes responses other than 401 that mean an expired credential: the profile lists them (ECR answers 403, ECR Public
//! 400).

use http::StatusCode;
use http::response::Parts;
use hyper::body::Incoming;

use super::super::classify::Call;
use super::super::error_response::ErrorResponse;
use super::super::registry_error;
use crate::auth::grant::Grant;
use crate::observe::blame::Step;
use crate::profile::ErrorPattern;

/// The profile's pattern of an error that means an expired credential, if there is one for this status.
pub(super) fn pattern(call: &Call, status: StatusCode) -> Option<&'static ErrorPattern> {
    let patterns = &call.routed.upstream.profile().expired_credential_errors;
    patterns.iter().find(|pattern| pattern.status == status.as_u16())
}

/// The denial for a response with the status of `pattern`, if its message matches, too.
///
/// # Errors
///
/// The registry's own error, if its message does not match `pattern`.
pub(super) async fn denial(
    call: &Call,
    grant: &Grant,
    pattern: &ErrorPattern,
    head: &Parts,
    body: Incoming,
) -> Result<ErrorResponse, ErrorResponse> {
    let mut error = registry_error::from_response(call, head, body, Step::Registry).await;
    if !error.message.to_lowercase().contains(pattern.body_contains) {
        return Err(error);
    }
    error.message = registry_error::credential_rejected(call, grant, &error.message);
    Ok(error)
}

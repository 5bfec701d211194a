//! What the configuration allows clients to do at a registry.

use http::StatusCode;

use super::error_response::ErrorResponse;
use super::routing::RoutedRequest;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::oci::operation::{Access, Operation};
use crate::upstream::Upstream;

/// Checks an operation against `allow` and `repositories` of the registry. The error names the key to change.
pub(super) fn check_permission(routed: &RoutedRequest, operation: &Operation) -> Result<(), ErrorResponse> {
    // regpass answers a ping without the registry, and clients that may only push send one first.
    if *operation == Operation::Ping {
        return Ok(());
    }
    let (upstream, policy) = (&routed.upstream, &routed.policy);
    let access = operation.access();
    if !policy.allow.contains(&access) {
        return Err(not_allowed(upstream, access));
    }
    let permitted = operation.repository().is_none_or(|name| policy.allows_repository(access, name));
    if !permitted {
        let host = &upstream.host;
        let name = operation.repository().map(ToString::to_string).unwrap_or_default();
        return Err(denied(format!(
            "the configuration does not allow `{}` of the repository {name} on {host}; see `repositories` in [registry.\"{host}\"]",
            access.as_str()
        )));
    }
    Ok(())
}

/// The error for an access that `allow` does not list.
pub(super) fn not_allowed(upstream: &Upstream, access: Access) -> ErrorResponse {
    let (host, word) = (&upstream.host, access.as_str());
    let flag = if access == Access::Pull { word.to_owned() } else { format!("pull,{word}") };
    denied(format!(
        "the configuration does not allow `{word}` on {host}; add \"{word}\" to `allow` in [registry.\"{host}\"], or, if that table has no `allow`, start regpass with `--allow {flag}`"
    ))
}

fn denied(message: String) -> ErrorResponse {
    ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Configuration, Step::Classify, message)
}

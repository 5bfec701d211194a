//! Recognizes responses that ask for other authorization.

use http::{HeaderMap, Response, StatusCode};

use super::super::classify::Call;
use crate::auth::grant::Grant;
use crate::oci::challenge::Challenge;

/// Whether the response is a challenge: a 401, or the 403 with a Basic challenge that some registries answer to a
/// request without authorization, or any 403 to a shared token.
pub(super) fn is_challenge<B>(call: &Call, grant: &Grant, response: &Response<B>) -> bool {
    match response.status() {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::FORBIDDEN if grant.header().is_none() => {
            let (upstream, challenges) = (&call.routed.upstream, Challenge::parse_all(response.headers()));
            upstream.profile_choice.detect(&challenges, response.headers());
            upstream.profile().challenges_anonymous_with_403 && challenges.iter().any(|one| one.scheme == "basic")
        }
        // The token of another repository may be refused for that reason alone.
        StatusCode::FORBIDDEN => grant.is_shared_token(),
        _ => false,
    }
}

/// Whether the challenge to a HEAD is for a bearer token and names no scope.
pub(super) fn lacks_scope(call: &Call, headers: &HeaderMap) -> bool {
    let challenges = Challenge::parse_all(headers);
    let mut bearer = challenges.iter().filter(|one| one.scheme == "bearer").peekable();
    call.is_head() && bearer.peek().is_some() && bearer.all(|one| one.param("scope").is_none())
}

/// Whether challenges to HEAD lack the scope at this registry, by its profile or the one that these headers identify.
pub(super) fn profile_omits_scope(call: &Call, headers: &HeaderMap) -> bool {
    let profile = call.routed.upstream.profile_choice.profile_given(&Challenge::parse_all(headers), headers);
    profile.head_challenge_lacks_scope
}

//! The retry budget: whether and when a request is sent again after 429 or 503.

use std::time::Duration;

use http::{Response, StatusCode};

use super::super::classify::Call;
use super::super::referrers::api::is_web_page_limit;
use super::super::upstream_request::UpstreamRequest;
use crate::base::clock::WallClock;
use crate::net::retry_after;
use crate::net::spool::Payload;
use crate::oci::operation::Access;

/// The retries of one request so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RetryBudget {
    retries: u32,
    waited: Duration,
}

impl RetryBudget {
    /// The time to wait before the request is sent again: the registry's `Retry-After`, or else a backoff. `None` if
    /// the request may not be repeated or the wait exceeds the budget; a 429 or 503 then goes to the client, which can
    /// wait itself.
    pub(super) fn next_wait<B>(
        &mut self,
        call: &Call,
        request: &UpstreamRequest,
        response: &Response<B>,
        clock: WallClock,
    ) -> Option<Duration> {
        if !may_retry(call, request, response.status()) {
            return None;
        }
        if is_web_page_limit(call, response.status(), response.headers()) {
            return None;
        }
        let wait = retry_after::delay(response.headers(), clock, self.retries);
        let waited = self.waited + wait;
        if waited > MAX_WAIT {
            return None;
        }
        *self = Self { retries: self.retries + 1, waited };
        Some(wait)
    }
}

/// Whether the request may be repeated. After a 429 reads and requests with a buffered body may, because the registry
/// has not processed them; but not at registries whose rate limits last long. After a 503 only reads may.
fn may_retry(call: &Call, request: &UpstreamRequest, status: StatusCode) -> bool {
    let reads = call.operation.access() == Access::Pull;
    let was_not_processed =
        status == StatusCode::TOO_MANY_REQUESTS && matches!(request.payload(), Payload::Buffered(_));
    retry_after::is_busy(status)
        && call.routed.upstream.profile().may_recover_soon(status)
        && (reads || was_not_processed)
}

/// Maximum wait of one request, over all its retries. Well below the limit for the whole request.
const MAX_WAIT: Duration = Duration::from_secs(15);

/// How often one request is sent to the registry at most. Requests sent again after a challenge count; GETs sent first to
/// learn the scope for a HEAD do not.
pub(super) const MAX_TRIES: u32 = 3;

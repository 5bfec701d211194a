//! The retry budget: whether and when a request is sent again after 429 or 503.

use std::time::Duration;

use http::header::RETRY_AFTER;
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
        let status = response.status();
        if !may_repeat(call, request, status) {
            return None;
        }
        let stated = retry_after::parse(response.headers(), clock);
        let is_momentary = stated.is_some_and(retry_after::is_momentary);
        if !is_momentary && !call.routed.upstream.profile().may_recover_soon(status) {
            return None;
        }
        if is_web_page_limit(call, status, response.headers()) {
            return None;
        }
        self.spend(retry_after::wait(stated, self.retries))
    }

    /// As [`next_wait`](Self::next_wait), for the wait that the message of the error states.
    pub(super) fn next_stated_wait(&mut self, stated: Duration) -> Option<Duration> {
        self.spend(retry_after::wait(Some(stated), self.retries))
    }

    fn spend(&mut self, wait: Duration) -> Option<Duration> {
        let waited = self.waited + wait;
        if waited > MAX_WAIT {
            return None;
        }
        *self = Self { retries: self.retries + 1, waited };
        Some(wait)
    }
}

/// Whether the message of a 429 decides about a retry, because neither the registry's limits nor its headers do: at a
/// registry whose limits may last long, only a message that states a part of a second means otherwise.
pub(super) fn depends_on_message<B>(call: &Call, request: &UpstreamRequest, response: &Response<B>) -> bool {
    let status = response.status();
    status == StatusCode::TOO_MANY_REQUESTS
        && !call.routed.upstream.profile().may_recover_soon(status)
        && !response.headers().contains_key(RETRY_AFTER)
        && !is_web_page_limit(call, status, response.headers())
        && !call.is_head()
        && may_repeat(call, request, status)
}

/// Whether the request may be repeated. After a 429 reads and requests with a buffered body may, because the registry
/// has not processed them. After a 503 only reads may.
fn may_repeat(call: &Call, request: &UpstreamRequest, status: StatusCode) -> bool {
    let reads = call.operation.access() == Access::Pull;
    let was_not_processed =
        status == StatusCode::TOO_MANY_REQUESTS && matches!(request.payload(), Payload::Buffered(_));
    retry_after::is_busy(status) && (reads || was_not_processed)
}

/// Maximum wait of one request, over all its retries. Well below the limit for the whole request.
const MAX_WAIT: Duration = Duration::from_secs(15);

/// How often one request is sent to the registry at most. Requests sent again after a challenge count; GETs sent first to
/// learn the scope for a HEAD do not.
pub(super) const MAX_TRIES: u32 = 3;

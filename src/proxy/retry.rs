//! Registries that ask for a moment's patience.

use std::time::Duration;

use http::{Response, StatusCode};

use super::call::Call;
use super::outbound::Outbound;
use crate::base::clock::WallClock;
use crate::net::busy;
use crate::net::payload::Payload;
use crate::oci::operation::{Access, Operation};

/// How often a request was put off, and for how long in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waited {
    tries: u32,
    whole: Duration,
}

impl Waited {
    /// How long to wait before the request is sent again: what the registry says, in seconds or as a date, or else
    /// longer each time. Whoever wants more patience than a client can be expected to have is not asked again: the
    /// client hears how long, and waits better than we do.
    pub(super) fn pause<B>(
        &mut self,
        call: &Call,
        outbound: &Outbound,
        response: &Response<B>,
        clock: WallClock,
    ) -> Option<Duration> {
        if !may_try_again(call, outbound, response.status()) {
            return None;
        }
        // Whether there is anything behind a 429 to a question for referrers, only its words tell.
        let is_page = matches!(call.operation, Operation::ListReferrers(..));
        let told = busy::told(response.headers(), clock);
        let wait = told.or_else(|| (!is_page).then(|| busy::backoff(self.tries)))?;
        let whole = self.whole + wait;
        if whole > PATIENCE {
            return None;
        }
        *self = Self { tries: self.tries + 1, whole };
        Some(wait)
    }
}

/// A 429 has left undone what was asked for, a 503 perhaps not.
fn may_try_again(call: &Call, outbound: &Outbound, status: StatusCode) -> bool {
    let reads = call.operation.access() == Access::Pull;
    let leaves_undone = status == StatusCode::TOO_MANY_REQUESTS && matches!(outbound.payload(), Payload::Held(_));
    busy::is_busy(status) && call.routed.upstream.profile().is_soon_over(status) && (reads || leaves_undone)
}

/// All waits of one request together: it still has to be answered before its client is told that it is not.
const PATIENCE: Duration = Duration::from_secs(15);

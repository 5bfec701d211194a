//! Registries that ask for a moment's patience.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Response, StatusCode};

use super::call::Call;
use crate::oci::operation::Access;

/// How long to wait before a read is tried again: what the registry says, when that is a moment. Whoever names a longer
/// time, or none, is not asked again: the client hears of it, and waits better than we do.
pub(super) fn pause<B>(call: &Call, response: &Response<B>) -> Option<Duration> {
    let busy = matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (busy && call.operation.access() == Access::Pull && seconds <= MOST_SECONDS).then(|| Duration::from_secs(seconds))
}

const MOST_SECONDS: u64 = 5;

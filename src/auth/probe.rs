//! The request for a registry's challenge: `GET /v2/` without authorization.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use super::error::AuthError;
use super::realm::RealmRejected;
use crate::base::clock::WallClock;
use crate::net::body::read_limited;
use crate::net::{request, retry_after};
use crate::observe::metrics::Metrics;
use crate::upstream::Upstream;

/// Sends `GET /v2/` to learn a registry's challenge. The metrics count these requests as `challenge`.
#[derive(Debug)]
pub(super) struct Probe {
    metrics: Arc<Metrics>,
    clock: WallClock,
}

impl Probe {
    pub(super) fn new(metrics: Arc<Metrics>, clock: WallClock) -> Self {
        Self { metrics, clock }
    }

    /// The headers of the registry's answer to `GET /v2/`, with challenges only if it is a 401. A busy registry gets up
    /// to two more requests within 10 s. An error if the registry stays busy or answers 5xx, which reveals neither its
    /// scheme nor its profile.
    pub(super) async fn challenge_headers(&self, upstream: &Upstream) -> Result<HeaderMap, AuthError> {
        let url = upstream.url("/v2/", None);
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
        let request = request::to(&url, Method::GET, headers, Bytes::new()).map_err(RealmRejected::BadUrl)?;
        let client = upstream.client(&url.origin).map_err(|error| AuthError::Tls(error.to_string()))?;
        let begun = Instant::now();
        for tries in 0.. {
            let (head, body) = client.send(&request).await.map_err(AuthError::Probe)?.into_parts();
            let (status, mut headers) = (head.status, head.headers);
            self.metrics.upstream_request(&upstream.label, "challenge", status.as_u16());
            let reading = timeout(BODY_TIMEOUT, read_limited(body, MAX_BODY_BYTES, BODY_TIMEOUT)).await;
            if reveals_auth_scheme(status) {
                if status != StatusCode::UNAUTHORIZED {
                    headers.remove(WWW_AUTHENTICATE);
                }
                return Ok(headers);
            }
            let in_body = || retry_after::in_body(&reading.ok()?.ok()?);
            let stated = retry_after::parse(&headers, self.clock).or_else(in_body);
            let wait = retry_after::wait(stated, tries);
            let may_recover =
                stated.is_some_and(retry_after::is_momentary) || upstream.profile().may_recover_soon(status);
            let may_retry = retry_after::is_busy(status) && may_recover && tries < MAX_RETRIES;
            if !may_retry || begun.elapsed() + wait > MAX_DURATION {
                return Err(AuthError::ProbeStatus { status, retry_after: stated });
            }
            sleep(wait).await;
        }
        unreachable!("the last retry returns")
    }
}

/// Whether an answer shows which scheme the registry wants. Answers of a busy or broken registry do not.
pub(super) fn reveals_auth_scheme(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}

const MAX_RETRIES: u32 = 2;
/// Limits of reading the body, which is of use only where the registry is busy.
const MAX_BODY_BYTES: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(1);
/// The latest start of a retry, counted from the first request: the client's own request has yet to be sent.
const MAX_DURATION: Duration = Duration::from_secs(10);

//! Asking a registry's base what it demands.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::{Instant, sleep};

use super::ask::Ask;
use super::authorizer::Authorizer;
use super::error::AuthError;
use super::realm::RealmRefused;
use crate::net::body::drain;
use crate::net::{busy, request};

impl Authorizer {
    /// The head of what `/v2/` answers to nobody; its challenges count with a 401 only. Who is busy is asked again
    /// after a moment, and who stays busy, or is broken, has said nothing: neither what it demands nor what it is.
    pub(super) async fn ping(&self, ask: &Ask) -> Result<HeaderMap, AuthError> {
        let upstream = &ask.upstream;
        let url = upstream.url("/v2/", None);
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
        let request = request::to(&url, Method::GET, headers, Bytes::new()).map_err(RealmRefused::BadUrl)?;
        let client = upstream.client(&url.origin).map_err(|error| AuthError::Tls(error.to_string()))?;
        let begun = Instant::now();
        for tries in 0.. {
            let (head, body) = client.send(&request).await.map_err(AuthError::Ping)?.into_parts();
            let (status, mut headers) = (head.status, head.headers);
            self.metrics.upstream_request(&upstream.label, "challenge", status.as_u16());
            drain(body).await;
            if tells_something(status) {
                if status != StatusCode::UNAUTHORIZED {
                    headers.remove(WWW_AUTHENTICATE);
                }
                return Ok(headers);
            }
            let wait = busy::pause(&headers, self.clock, tries);
            let is_over_soon = busy::is_busy(status) && upstream.profile().is_soon_over(status);
            if tries == MOST_REPEATS || !is_over_soon || begun.elapsed() + wait > PATIENCE {
                return Err(AuthError::PingStatus { status, retry_after: busy::told(&headers, self.clock) });
            }
            sleep(wait).await;
        }
        unreachable!("the last repeat returns")
    }
}

/// Whether an answer tells what a registry demands. One of somebody who is busy or broken does not.
pub(super) fn tells_something(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}

/// Of a question that a busy registry put off.
const MOST_REPEATS: u32 = 2;
/// All waits together: the request itself has yet to be sent.
const PATIENCE: Duration = Duration::from_secs(10);

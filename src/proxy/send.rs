//! Sends one HTTP request to the registry, its upload host or a redirect target, and records its time and status.

use http::header::AUTHORIZATION;
use http::{Request, Response};
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::Instant;

use super::classify::Call;
use super::error_response::ErrorResponse;
use super::registry_error;
use crate::base::origin::Url;
use crate::net::spool::Payload;
use crate::observe::blame::Step;
use crate::observe::record::Record;

/// Sends `request` to `url` and waits `allowance` longer than usual for the response. `peer` names the server in the
/// message of an error.
pub async fn send(
    call: &Call,
    request: &Request<Payload>,
    (url, allowance): (&Url, Duration),
    (step, peer): (Step, &str),
    record: &mut Record,
) -> Result<Response<Incoming>, ErrorResponse> {
    let upstream = &call.routed.upstream;
    let client = upstream.client(&url.origin).map_err(|error| ErrorResponse::from_tls(&error))?;
    record.attempts += 1;
    let started = Instant::now();
    let outcome = client.send_with_allowance(request, allowance).await;
    record.upstream += started.elapsed();
    let status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
    record.metrics().upstream_request(&upstream.label, step.as_str(), status);
    let mut response = outcome.map_err(|error| ErrorResponse::from_transport(&error, peer, step))?;
    registry_error::note_redactions(&mut response, request.headers().get(AUTHORIZATION), url);
    Ok(response)
}

//! One request to the registry or to where it redirected: sent, timed, counted.

use http::header::AUTHORIZATION;
use http::{Request, Response};
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::Instant;

use super::call::Call;
use super::exchange::Timing;
use super::failure::Failure;
use super::refusal;
use crate::base::origin::Url;
use crate::net::payload::Payload;
use crate::observe::blame::Step;
use crate::observe::record::Record;

/// Sends `request`, which is for `url`. `who` names the other end in the message of a failure.
pub async fn send(
    call: &Call,
    request: &Request<Payload>,
    (url, allowance): (&Url, Duration),
    (step, who): (Step, &str),
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Response<Incoming>, Failure> {
    let upstream = &call.routed.upstream;
    let client = upstream.client(&url.origin).map_err(|error| Failure::tls(&error))?;
    record.attempts += 1;
    let begun = Instant::now();
    let outcome = client.send_allowing(request, allowance).await;
    timing.upstream += begun.elapsed();
    let status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
    record.metrics().upstream_request(&upstream.label, step.as_str(), status);
    let mut response = outcome.map_err(|error| Failure::transport(&error, who, step))?;
    refusal::note_sent(&mut response, request.headers().get(AUTHORIZATION), url);
    Ok(response)
}

//! Sends one HTTP request to the registry, its upload host or a redirect target, and records its time and status.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::classify::Call;
use super::error_response::ErrorResponse;
use crate::base::origin::Url;
use crate::base::redaction::Redaction;
use crate::net::error::TransportError;
use crate::net::spool::Payload;
use crate::observe::blame::Step;
use crate::observe::metrics::Metrics;
use crate::observe::record::Record;
use crate::upstream::Upstream;

/// Sends `request` to `url` and waits `allowance` longer than usual for the response. `peer` names the server in the
/// message of an error. The response has no header that repeats one of `secrets`, the authorization in `request`; its
/// extension `Arc<Redaction>` detects them, and the signature in `url`, in its body.
pub async fn send(
    call: &Call,
    request: &Request<Payload>,
    (url, allowance): (&Url, Duration),
    (step, peer): (Step, &str),
    secrets: Arc<Redaction>,
    record: &mut Record,
) -> Result<Response<Incoming>, ErrorResponse> {
    let upstream = &call.routed.upstream;
    let client = upstream.client(&url.origin).map_err(|error| ErrorResponse::from_tls(&error))?;
    record.attempts += 1;
    let started = Instant::now();
    let outcome = client.send_with_allowance(request, allowance).await;
    record.upstream += started.elapsed();
    received(outcome, record.metrics(), upstream, url, (step, peer), secrets)
}

/// Counts the outcome of a request to `url` in the metrics. The response or error has the form that [`send`] describes.
pub fn received(
    outcome: Result<Response<Incoming>, TransportError>,
    metrics: &Metrics,
    upstream: &Upstream,
    url: &Url,
    (step, peer): (Step, &str),
    secrets: Arc<Redaction>,
) -> Result<Response<Incoming>, ErrorResponse> {
    let status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
    metrics.upstream_request(&upstream.label, step.as_str(), status);
    let mut response = outcome.map_err(|error| ErrorResponse::from_transport(&error, peer, step))?;
    remove_echoes(response.headers_mut(), &secrets);
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    // Only errors of blob stores are read and shown.
    let secrets = if is_error { Arc::new((*secrets).clone().with(Redaction::of_url(url))) } else { secrets };
    response.extensions_mut().insert(secrets);
    Ok(response)
}

/// Removes the headers that repeat a secret. Those stay that regpass itself reads and forwards to no client.
fn remove_echoes(headers: &mut HeaderMap, secrets: &Redaction) {
    let is_echo = |name: &HeaderName, value: &[u8]| match *name {
        LOCATION | WWW_AUTHENTICATE => false,
        CONTENT_TYPE | CONTENT_LENGTH => secrets.leaks_whole_in(value),
        _ => secrets.leaks_in(value),
    };
    let echoes: Vec<HeaderName> =
        headers.iter().filter(|(name, value)| is_echo(name, value.as_bytes())).map(|(name, _)| name.clone()).collect();
    for name in echoes {
        headers.remove(name);
    }
}

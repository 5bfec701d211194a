//! Sends a request to the registry and follows its redirects.

use http::{StatusCode, response};
use hyper::body::Incoming;

use super::Proxy;
use super::classify::Call;
use super::error_response::ErrorResponse;
use super::exchange::{exchange, exchange_settled};
use super::redirect::{FetchOutcome, RedirectError, follow};
use super::registry_error;
use super::upstream_request::UpstreamRequest;
use crate::auth::authorizer::AuthAttempt;
use crate::observe::blame::Step;
use crate::observe::record::Record;

/// Sends `request` and follows redirects. If the redirect target rejects the request, probably because its signed URL
/// has expired, regpass sends `request` to the registry once more to get a new URL.
pub async fn fetch(
    proxy: &Proxy,
    call: &Call,
    request: &UpstreamRequest,
    record: &mut Record,
) -> Result<FetchOutcome, ErrorResponse> {
    fetch_settled(proxy, call, request, None, record).await
}

/// As [`fetch`], where `settled` is the authorization of the first request.
pub async fn fetch_settled(
    proxy: &Proxy,
    call: &Call,
    request: &UpstreamRequest,
    settled: Option<AuthAttempt>,
    record: &mut Record,
) -> Result<FetchOutcome, ErrorResponse> {
    let response = exchange_settled(proxy, call, request, settled, record).await?;
    match follow(call, request, response, record).await {
        Ok(outcome) => return Ok(outcome),
        Err(RedirectError::Failed(error)) => return Err(error),
        Err(RedirectError::Expired(_)) => {}
    }
    let response = exchange(proxy, call, request, record).await?;
    follow(call, request, response, record)
        .await
        .map_err(|(RedirectError::Expired(error) | RedirectError::Failed(error))| error)
}

/// Fetches a manifest, or its headers if `call` is a HEAD, that regpass itself needs for its response. Any status but
/// 200 is an error.
pub async fn fetch_manifest(
    proxy: &Proxy,
    call: &Call,
    request: &UpstreamRequest,
    record: &mut Record,
) -> Result<(response::Parts, Incoming), ErrorResponse> {
    let (FetchOutcome::Registry(response) | FetchOutcome::RedirectTarget(response)) =
        fetch(proxy, call, request, record).await?
    else {
        return Err(call.unusable_response("it redirects instead of returning the manifest"));
    };
    let (head, body) = response.into_parts();
    match head.status {
        StatusCode::OK => Ok((head, body)),
        _ => Err(registry_error::from_response(call, &head, body, Step::Registry).await),
    }
}

//! Sends a request to the registry with authorization, and sends it again after a challenge or a busy response.

use std::sync::Arc;
use std::time::Duration;

use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

mod challenge;
mod expired_credential;
mod rate_limit;
mod retry_budget;

use super::Proxy;
use super::classify::Call;
use super::error_response::ErrorResponse;
use super::registry_error;
use super::send;
use super::upstream_request::UpstreamRequest;
use crate::auth::authorizer::AuthAttempt;
use crate::auth::error::AuthError;
use crate::base::redaction::Redaction;
use crate::net::body::drain;
use crate::net::retry_after;
use crate::net::spool::Payload;
use crate::observe::blame::Step;
use crate::observe::record::Record;
use retry_budget::{MAX_TRIES, RetryBudget};

/// Sends `request` with the authorization that the registry asks for, at most three times, and returns the last
/// response. A challenge that no other authorization can answer is an error with status 403.
pub async fn exchange(
    proxy: &Proxy,
    call: &Call,
    request: &UpstreamRequest,
    record: &mut Record,
) -> Result<Response<Incoming>, ErrorResponse> {
    exchange_settled(proxy, call, request, None, record).await
}

/// As [`exchange`], where `settled` is the authorization of the first attempt, if it is still valid.
pub async fn exchange_settled(
    proxy: &Proxy,
    call: &Call,
    request: &UpstreamRequest,
    settled: Option<AuthAttempt>,
    record: &mut Record,
) -> Result<Response<Incoming>, ErrorResponse> {
    let exchange = Exchange { proxy, call, request, registry: format!("the registry {}", call.registry()) };
    exchange.run(settled.filter(AuthAttempt::is_still_valid), record).await
}

/// Determines the authorization of a request before regpass reads its body from the client. So a client that waits for
/// `100 Continue` does not send a body that the token service has denied already.
pub async fn settle(proxy: &Proxy, call: &Call, record: &mut Record) -> Result<AuthAttempt, ErrorResponse> {
    let started = Instant::now();
    let settled = proxy.authorizer.authorize(&call.ask).await;
    record.auth += started.elapsed();
    settled.map_err(|error| ErrorResponse::from_auth(&error, call.registry()))
}

/// One request to the registry, over all its attempts.
struct Exchange<'a> {
    proxy: &'a Proxy,
    call: &'a Call,
    request: &'a UpstreamRequest,
    /// How error messages name the registry.
    registry: String,
}

impl Exchange<'_> {
    async fn run(
        &self,
        settled: Option<AuthAttempt>,
        record: &mut Record,
    ) -> Result<Response<Incoming>, ErrorResponse> {
        let (call, authorizer) = (self.call, &self.proxy.authorizer);
        let mut attempt = match settled {
            Some(settled) => settled,
            None => self.first_attempt(record).await?,
        };
        let mut retry_budget = RetryBudget::default();
        for tries_left in (0..MAX_TRIES).rev() {
            record.grant = attempt.grant.describe();
            record.token_fetches += u32::from(attempt.grant.claim_fetch());
            let mut response =
                self.send(&self.request.authorized(&attempt.grant), attempt.grant.redaction(), record).await?;
            rate_limit::record(self.proxy, call, &attempt.grant, response.headers());
            if tries_left > 0
                && let Some(wait) = retry_budget.next_wait(call, self.request, &response, self.proxy.clock)
            {
                drain(response.into_body()).await;
                sleep(wait).await;
                continue;
            }
            if retry_budget::depends_on_message(call, self.request, &response) {
                authorizer.note_accepted(&call.ask, &mut attempt, response.status());
                let budget = (tries_left > 0).then_some(&mut retry_budget);
                sleep(self.wait_in_message(response, budget).await?).await;
                continue;
            }
            let expired_pattern = expired_credential::pattern(call, response.status());
            let is_challenge = challenge::is_challenge(call, &attempt.grant, &response);
            if !is_challenge && expired_pattern.is_none() {
                authorizer.note_accepted(&call.ask, &mut attempt, response.status());
                registry_error::note_anonymity(&mut response, &attempt.grant);
                return Ok(response);
            }
            let (head, body) = response.into_parts();
            let denial = match expired_pattern.filter(|_| !is_challenge) {
                None => registry_error::access_denied(call, &attempt.grant, &head, body).await,
                // The response to a HEAD has no body to match, so it only causes a renewal of a credential or token that
                // is not new.
                Some(_) if call.is_head() && tries_left > 0 => {
                    let error = registry_error::from_response(call, &head, body, Step::Registry).await;
                    let renewed = authorizer.renew_suspect(&call.ask, &attempt).await;
                    attempt = renewed.map_err(|error| self.auth_error(&error))?.ok_or(error)?;
                    continue;
                }
                Some(pattern) => expired_credential::denial(call, &attempt.grant, pattern, &head, body).await?,
            };
            let next = match tries_left {
                0 => None,
                _ => self.next_attempt(&mut attempt, head.headers, record).await?,
            };
            let Some(next) = next else {
                // The refusal of a shared token says nothing about the repository's own.
                if !attempt.grant.is_shared_token() {
                    authorizer.remember_denial(&call.ask, &attempt.grant, denial.message.clone());
                }
                return Err(denial);
            };
            attempt = next;
        }
        unreachable!("the last attempt returns")
    }

    /// The time to wait after a 429, if its message states one and the budget allows it; else the error for the client.
    async fn wait_in_message(
        &self,
        response: Response<Incoming>,
        budget: Option<&mut RetryBudget>,
    ) -> Result<Duration, ErrorResponse> {
        let (head, body) = response.into_parts();
        let error = registry_error::from_response(self.call, &head, body, Step::Registry).await;
        let stated = retry_after::in_message(&error.message).filter(|stated| retry_after::is_momentary(*stated));
        let Some(stated) = stated else { return Err(error) };
        let wait = budget.and_then(|budget| budget.next_stated_wait(stated));
        wait.ok_or_else(|| error.with_retry_after(stated))
    }

    /// The authorization of the first attempt: the one that the registry is known to want, or none.
    async fn first_attempt(&self, record: &mut Record) -> Result<AuthAttempt, ErrorResponse> {
        let mut attempt = settle(self.proxy, self.call, record).await?;
        let started = Instant::now();
        // If the challenge to a HEAD would lack the scope, regpass first sends a GET to get the challenge.
        let probes = self.call.is_head()
            && attempt.is_discovery()
            && challenge::profile_omits_scope(self.call, &HeaderMap::new());
        if probes {
            let response = self.probe_with_get(record).await?;
            if response.status == StatusCode::UNAUTHORIZED
                && let Some(next) = self.after_unauthorized(&mut attempt, &response.headers).await?
            {
                attempt = next;
            }
        }
        record.auth += started.elapsed();
        Ok(attempt)
    }

    /// The authorization to try after a challenge with these headers; `None` if there is no other.
    async fn next_attempt(
        &self,
        attempt: &mut AuthAttempt,
        mut headers: HeaderMap,
        record: &mut Record,
    ) -> Result<Option<AuthAttempt>, ErrorResponse> {
        let started = Instant::now();
        let lacks_scope = challenge::lacks_scope(self.call, &headers);
        // Avoids a request for a token without a scope, which the registry would reject.
        let probes_first =
            lacks_scope && attempt.grant.header().is_none() && challenge::profile_omits_scope(self.call, &headers);
        if probes_first {
            headers = self.probe_with_get(record).await?.headers;
        }
        let mut next = self.after_unauthorized(attempt, &headers).await?;
        if next.is_none() && lacks_scope && !probes_first {
            let response = self.probe_with_get(record).await?;
            next = self.after_unauthorized(attempt, &response.headers).await?;
        }
        record.auth += started.elapsed();
        Ok(next)
    }

    async fn after_unauthorized(
        &self,
        attempt: &mut AuthAttempt,
        headers: &HeaderMap,
    ) -> Result<Option<AuthAttempt>, ErrorResponse> {
        let next = self.proxy.authorizer.after_unauthorized(&self.call.ask, attempt, headers).await;
        next.map_err(|error| self.auth_error(&error))
    }

    /// Sends the same request as a GET without authorization, for the headers of the response. Artifactory names the scope
    /// in the challenge to a GET, and not in that to a HEAD.
    async fn probe_with_get(&self, record: &mut Record) -> Result<Parts, ErrorResponse> {
        let probe = self.request.as_get();
        let (head, body) = self.send(probe.without_authorization(), Arc::default(), record).await?.into_parts();
        drain(body).await;
        Ok(head)
    }

    async fn send(
        &self,
        request: &http::Request<Payload>,
        secrets: Arc<Redaction>,
        record: &mut Record,
    ) -> Result<Response<Incoming>, ErrorResponse> {
        let to = (&self.request.url, self.request.allowance);
        send::send(self.call, request, to, (Step::Registry, &self.registry), secrets, record).await
    }

    fn auth_error(&self, error: &AuthError) -> ErrorResponse {
        ErrorResponse::from_auth(error, self.call.registry())
    }
}

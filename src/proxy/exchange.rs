//! The feedback loop: send with what is known, learn from a refusal, send again; at most three times.

use std::time::Duration;

use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use super::Proxy;
use super::budget;
use super::call::Call;
use super::failure::Failure;
use super::leg;
use super::outbound::Outbound;
use super::refusal;
use super::retry::Waited;
use crate::auth::grant::Grant;
use crate::net::body::drain;
use crate::observe::blame::Step;
use crate::observe::record::Record;
use crate::oci::challenge::Challenge;
use crate::profile::Expired;

/// Where the time of a request went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    pub auth: Duration,
    pub upstream: Duration,
}

/// Sends `outbound`, meeting challenges. A 401 with fresh authorization is final and becomes a 403.
pub async fn exchange(
    proxy: &Proxy,
    call: &Call,
    outbound: &Outbound,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Response<Incoming>, Failure> {
    let auth_failure = |error| Failure::auth(&error, call.registry());
    let registry = format!("the registry {}", call.registry());
    let begun = Instant::now();
    let mut offer = proxy.authorizer.offer(&call.ask).await.map_err(auth_failure)?;
    // To a HEAD such a registry would not say what it wants.
    if call.is_head() && offer.is_first() && is_known_to_hide(call, &HeaderMap::new()) {
        let told = told_to_get(call, outbound, (Step::Registry, &registry), record, timing).await?;
        if told.status == StatusCode::UNAUTHORIZED {
            let known = proxy.authorizer.answer(&call.ask, &mut offer, &told.headers).await.map_err(auth_failure)?;
            offer = known.unwrap_or(offer);
        }
    }
    timing.auth += begun.elapsed();
    let mut waited = Waited::default();
    for tries_left in (0..MOST_TRIES).rev() {
        record.grant = offer.grant.describe();
        record.token_fetches += u32::from(offer.grant.counts_as_fetch());
        let request = outbound.with(&offer.grant);
        let to_registry = (Step::Registry, &*registry);
        let response =
            leg::send(call, &request, (&outbound.url, outbound.allowance), to_registry, record, timing).await?;
        budget::note(proxy, call, &offer.grant, response.headers());
        if tries_left > 0
            && let Some(wait) = waited.pause(call, outbound, &response, proxy.clock)
        {
            drain(response.into_body()).await;
            sleep(wait).await;
            continue;
        }
        let expired = looks_expired(call, response.status());
        let asks = asks_for_login(call, &offer.grant, &response);
        if !asks && expired.is_none() {
            proxy.authorizer.accepted(&call.ask, &mut offer, response.status());
            let mut response = response;
            refusal::note_rejected(&mut response, &offer.grant);
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let denial = match expired.filter(|_| !asks) {
            None => refusal::denied(call, &offer.grant, &head, body).await,
            Some(expired) => {
                let mut failure = refusal::normalized(call, &head, body, Step::Registry).await;
                // An answer to HEAD has no words: it is worth a newer login, and no more than that.
                if call.is_head() && tries_left > 0 {
                    let renewed = proxy.authorizer.renewed(&call.ask, &offer).await.map_err(auth_failure)?;
                    offer = renewed.ok_or(failure)?;
                    continue;
                }
                if !failure.message.to_lowercase().contains(expired.words) {
                    return Err(failure);
                }
                failure.message = refusal::of_login(call, &offer.grant, &failure.message);
                failure
            }
        };
        let begun = Instant::now();
        let hidden = tries_left > 0 && hides_scope(call, &head.headers);
        let mut headers = head.headers;
        // Before a token is asked for in vain.
        let is_asked = hidden && offer.grant.header().is_none() && is_known_to_hide(call, &headers);
        if is_asked {
            headers = told_to_get(call, outbound, to_registry, record, timing).await?.headers;
        }
        let mut next = match tries_left {
            0 => None,
            _ => proxy.authorizer.answer(&call.ask, &mut offer, &headers).await.map_err(auth_failure)?,
        };
        if next.is_none() && hidden && !is_asked {
            let told = told_to_get(call, outbound, to_registry, record, timing).await?;
            next = proxy.authorizer.answer(&call.ask, &mut offer, &told.headers).await.map_err(auth_failure)?;
        }
        timing.auth += begun.elapsed();
        let Some(next) = next else {
            proxy.authorizer.denied(&call.ask, &offer.grant, denial.message.clone());
            return Err(denial);
        };
        offer = next;
    }
    unreachable!("the last try returns")
}

/// Whether an answer is a challenge: a 401, or what some registries say instead to whoever comes without a login.
fn asks_for_login<B>(call: &Call, grant: &Grant, response: &Response<B>) -> bool {
    match response.status() {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::FORBIDDEN if grant.header().is_none() => {
            let (upstream, challenges) = (&call.routed.upstream, Challenge::parse_all(response.headers()));
            upstream.recognise_by_signs(&challenges, response.headers());
            upstream.profile().challenges_with_403 && challenges.iter().any(|one| one.scheme == "basic")
        }
        _ => false,
    }
}

/// The profile's row that a refusal other than 401 may stand for.
fn looks_expired(call: &Call, status: StatusCode) -> Option<&'static Expired> {
    call.routed.upstream.profile().expired.iter().find(|expired| expired.status == status.as_u16())
}

/// Whether a HEAD was challenged without a word about the scope.
fn hides_scope(call: &Call, headers: &HeaderMap) -> bool {
    let challenges = Challenge::parse_all(headers);
    let mut bearer = challenges.iter().filter(|one| one.scheme == "bearer").peekable();
    call.is_head() && bearer.peek().is_some() && bearer.all(|one| one.param("scope").is_none())
}

fn is_known_to_hide(call: &Call, headers: &HeaderMap) -> bool {
    let profile = call.routed.upstream.profile_by(&Challenge::parse_all(headers), headers);
    profile.heads_hide_scope
}

/// What the registry tells an unauthorized GET of the same: Artifactory names the scope it wants there, and not to HEAD
/// (rule 20).
async fn told_to_get(
    call: &Call,
    outbound: &Outbound,
    to_registry: (Step, &str),
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Parts, Failure> {
    let probe = outbound.as_get();
    let to = (&probe.url, probe.allowance);
    let (head, body) = leg::send(call, probe.bare(), to, to_registry, record, timing).await?.into_parts();
    drain(body).await;
    Ok(head)
}

const MOST_TRIES: u32 = 3;

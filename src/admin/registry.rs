//! What there is to say about one registry.

use std::time::Duration;

use tokio::time::Instant;

use super::snapshot::{failure, seconds};
use super::status::{Credential, LastFailure, Outage, RateLimit, Registry, State, Token, Trouble};
use crate::auth::held::{HeldToken, StaleLogin};
use crate::config::model::Identity;
use crate::credential::chain::{Login, Said};
use crate::net::circuit;
use crate::observe::blame::{Blame, Step};
use crate::observe::health::{Activity, Failed};
use crate::observe::seen::Seen;
use crate::proxy::route::Configured;

/// What is known of a registry, from what its requests left behind and what is held for it.
pub(super) fn of(registry: &Configured, seen: &Seen, held: &[HeldToken], stale: &[StaleLogin]) -> Registry {
    let upstream = &registry.upstream;
    let host = upstream.host.as_str();
    let activity = seen.health.of(host).unwrap_or_default();
    let outages: Vec<Outage> = upstream.outages().into_iter().map(outage).collect();
    let credentials = credentials(registry, stale);
    let now = seen.now();
    let own = upstream.origin.to_string();
    let tokens: Vec<&HeldToken> = held.iter().filter(|token| token.upstream == upstream.id).collect();
    Registry {
        host: host.to_owned(),
        label: upstream.label.to_string(),
        profile: upstream.profile().name,
        state: state(&activity, &outages, &credentials, &own),
        troubles: troubles(&activity, &outages, &credentials),
        url: own,
        in_flight: activity.in_flight,
        requests: activity.requests,
        failed: activity.failed,
        sent_bytes: activity.sent,
        received_bytes: activity.bytes,
        last_success: activity.last_success.map(seconds),
        last_failure: activity.last_failure.as_ref().map(last_failure),
        outages,
        credentials,
        rate_limits: activity.rate_limits.iter().filter(|limit| is_current(limit, now)).map(rate_limit).collect(),
        tokens_held: tokens.len(),
        tokens: tokens.into_iter().take(MOST_TOKENS).map(token).collect(),
    }
}

fn state(activity: &Activity, outages: &[Outage], credentials: &[Credential], own: &str) -> State {
    let is_open = |outage: &&Outage| outage.retry_in_seconds.is_some();
    let is_login = |failed: &Failed| failed.failure.blame == Blame::Credential;
    let pending = pending(activity);
    if outages.iter().filter(is_open).any(|outage| outage.origin == own) {
        State::Down
    } else if outages.iter().any(|outage| is_open(&outage)) || pending.is_some_and(|failed| !is_login(failed)) {
        State::Failing
    } else if pending.is_some() || credentials.iter().any(|login| login.refused || login.problem.is_some()) {
        State::Degraded
    } else if activity.last_success.is_some() || activity.last_failure.is_some() {
        State::Healthy
    } else {
        State::Unused
    }
}

/// The last failure, when nothing has worked since and it is not about one repository only.
fn pending(activity: &Activity) -> Option<&Failed> {
    let failed = activity.last_failure.as_ref().filter(|_| activity.failing)?;
    let is_denial = failed.failure.blame == Blame::Credential && failed.failure.step == Step::Registry;
    let is_rule = failed.failure.blame == Blame::Configuration && failed.failure.step == Step::Classify;
    (!is_denial && !is_rule).then_some(failed)
}

fn troubles(activity: &Activity, outages: &[Outage], credentials: &[Credential]) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for outage in outages {
        let Some(retry) = outage.retry_in_seconds else { continue };
        let message = format!(
            "{} does not answer: {} ({} times in a row; asked again {})",
            outage.origin,
            outage.message,
            outage.failures,
            if retry < 1.0 { "by the next request".to_owned() } else { format!("in {retry:.0} s") }
        );
        let advice = "Check the network, the name and the registry's own status; it is asked again by itself.";
        troubles.push(Trouble { message, advice });
    }
    for credential in credentials {
        if let Some(problem) = &credential.problem {
            let message = format!("the login from '{}' cannot be had: {problem}", credential.source);
            let advice = "Mend where the login comes from; it is looked at again within seconds, without a restart.";
            troubles.push(Trouble { message, advice });
        }
        if credential.refused {
            let from = credential.identity.as_deref().unwrap_or(credential.source);
            let message = format!("the registry refuses the login from {from}; pulls go on anonymously");
            let advice = "Log in again, or put a good login there; it counts within seconds.";
            troubles.push(Trouble { message, advice });
        }
    }
    // It comes of one of the others, where there are any.
    if let Some(failed) = pending(activity).filter(|_| troubles.is_empty()) {
        troubles.push(Trouble { message: failed.failure.message.to_string(), advice: failed.failure.advice() });
    }
    troubles
}

fn outage(outage: circuit::Outage) -> Outage {
    let now = Instant::now();
    Outage {
        origin: outage.origin.to_string(),
        failures: outage.failures,
        message: outage.last.into(),
        retry_in_seconds: outage.open_until.map(|until| seconds(until.saturating_duration_since(now))),
    }
}

fn credentials(registry: &Configured, stale: &[StaleLogin]) -> Vec<Credential> {
    let stale: Vec<_> = stale.iter().filter(|login| login.upstream == registry.upstream.id).collect();
    let all = registry.terms.credentials.all();
    all.map(|(identity, login)| Credential { repositories: identity.map(patterns_of), ..credential(login, &stale) })
        .collect()
}

/// All of them where it names none.
fn patterns_of(identity: &Identity) -> Vec<String> {
    let patterns = identity.repositories.as_ref();
    patterns.map_or_else(|| vec!["**".to_owned()], |patterns| patterns.iter().map(ToString::to_string).collect())
}

fn credential(login: &Login, stale: &[&StaleLogin]) -> Credential {
    let unused = Credential {
        source: login.source(),
        repositories: None,
        identity: None,
        expires_in_seconds: None,
        refused: false,
        problem: None,
    };
    match login.said() {
        None => unused,
        Some(Said::Failed(problem)) => Credential { problem: Some(problem.into()), ..unused },
        Some(Said::Found { id, identity, expires }) => Credential {
            identity: Some(identity.into()),
            expires_in_seconds: expires.map(|end| seconds(end.saturating_duration_since(Instant::now()))),
            refused: stale.iter().any(|stale| stale.credential == id),
            ..unused
        },
    }
}

/// What was said before the last window began says nothing any more.
pub(super) fn is_current(limit: &crate::observe::health::RateLimit, now: Duration) -> bool {
    // A registry may name any window, also one that is longer than time itself.
    now < limit.at.saturating_add(limit.window.unwrap_or(UNTOLD_WINDOW))
}

fn rate_limit(limit: &crate::observe::health::RateLimit) -> RateLimit {
    RateLimit {
        identity: limit.identity.to_string(),
        counted: limit.counted.as_deref().map(ToOwned::to_owned),
        limit: limit.limit,
        remaining: limit.remaining,
        window_seconds: limit.window.map(seconds),
        at: seconds(limit.at),
    }
}

fn token(token: &HeldToken) -> Token {
    Token {
        scopes: token.scopes.clone(),
        identity: token.identity.to_string(),
        realm: token.realm.to_string(),
        expires_in_seconds: seconds(token.expires_in),
        lifetime_seconds: seconds(token.lifetime),
        uses: token.uses,
    }
}

fn last_failure(failed: &Failed) -> LastFailure {
    LastFailure { at: seconds(failed.at), status: failed.status, failure: failure(&failed.failure) }
}

/// Of each registry, the ones that end soonest: there may be thousands.
const MOST_TOKENS: usize = 50;
const UNTOLD_WINDOW: Duration = Duration::from_secs(6 * 60 * 60);

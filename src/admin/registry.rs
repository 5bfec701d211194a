//! The status of one registry, for `/status.json`, `/readyz` and the status page.

use std::time::Duration;

use tokio::time::Instant;

use super::status::{Credential, EgressHost, LastFailure, Outage, RateLimit, Registry, State, Token, Trouble, seconds};
use crate::auth::snapshot::{RejectedCredential, TokenSnapshot};
use crate::config::model::Identity;
use crate::credential::registry_credentials::{LastOutcome, TrackedSource};
use crate::net::circuit;
use crate::observe::activity::Activity;
use crate::observe::blame::{Blame, Step};
use crate::observe::health::{FailedRequest, IdentityRateLimit, RegistryHealth};
use crate::proxy::routes::ConfiguredRegistry;
use crate::upstream::egress;

/// The status of a registry, from the activity recorded for it, its circuits, its credentials and the cached tokens.
pub(super) fn of(
    registry: &ConfiguredRegistry,
    activity: &Activity,
    all_tokens: &[TokenSnapshot],
    rejected: &[RejectedCredential],
) -> Registry {
    let upstream = &registry.upstream;
    let host = upstream.host.as_str();
    let health = activity.health.registry(host).unwrap_or_default();
    let outages: Vec<Outage> = upstream.outages().into_iter().map(outage).collect();
    let credentials = credentials(registry, rejected);
    let now = activity.now();
    let url = upstream.origin.to_string();
    let tokens: Vec<&TokenSnapshot> = all_tokens.iter().filter(|token| token.upstream == upstream.id).collect();
    Registry {
        host: host.to_owned(),
        label: upstream.label.to_string(),
        profile: upstream.profile().name,
        state: state(&health, &outages, &credentials, &url),
        troubles: troubles(&health, &outages, &credentials),
        url,
        in_flight: health.in_flight,
        requests: health.requests,
        failed: health.failed,
        sent_bytes: health.sent,
        received_bytes: health.bytes,
        last_success: health.last_success.map(seconds),
        last_failure: health.last_failure.as_ref().map(last_failure),
        outages,
        egress: upstream.egress().into_iter().map(egress_host).collect(),
        credentials,
        rate_limits: health.rate_limits.iter().filter(|limit| is_current(limit, now)).map(rate_limit).collect(),
        tokens_held: tokens.len(),
        tokens: tokens.into_iter().take(MAX_TOKENS).map(token).collect(),
    }
}

fn state(health: &RegistryHealth, outages: &[Outage], credentials: &[Credential], url: &str) -> State {
    let is_open = |outage: &&Outage| outage.retry_in_seconds.is_some();
    let is_credential_failure = |failed: &FailedRequest| failed.failure.blame == Blame::Credential;
    let pending = pending(health);
    if outages.iter().filter(is_open).any(|outage| outage.origin == url) {
        State::Down
    } else if outages.iter().any(|outage| is_open(&outage))
        || pending.is_some_and(|failed| !is_credential_failure(failed))
    {
        State::Failing
    } else if pending.is_some()
        || credentials.iter().any(|credential| credential.refused || credential.problem.is_some())
    {
        State::Degraded
    } else if health.last_success.is_some() || health.last_failure.is_some() {
        State::Healthy
    } else {
        State::Unused
    }
}

/// The last failure, if no request succeeded since. `None` if the failure says nothing about the whole registry: the
/// registry denied the credential access to a repository, or the configuration does not allow the request.
fn pending(health: &RegistryHealth) -> Option<&FailedRequest> {
    let failed = health.last_failure.as_ref().filter(|_| health.is_failing)?;
    let is_denial = failed.failure.blame == Blame::Credential && failed.failure.step == Step::Registry;
    let is_policy = failed.failure.blame == Blame::Configuration && failed.failure.step == Step::Classify;
    (!is_denial && !is_policy).then_some(failed)
}

fn troubles(health: &RegistryHealth, outages: &[Outage], credentials: &[Credential]) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for outage in outages {
        let Some(retry) = outage.retry_in_seconds else { continue };
        let message = format!(
            "{} does not answer: {} ({} failures in a row; next attempt {})",
            outage.origin,
            outage.message,
            outage.failures,
            if retry < 1.0 { "with the next request".to_owned() } else { format!("in {retry:.0} s") }
        );
        let advice = "Check the network, the host name and the registry's status page; regpass retries automatically.";
        troubles.push(Trouble { message, advice });
    }
    for credential in credentials {
        if let Some(problem) = &credential.problem {
            let message = format!("cannot read the credential from '{}': {problem}", credential.source);
            let advice = "Correct the credential's source; regpass reads it again within seconds, without a restart.";
            troubles.push(Trouble { message, advice });
        }
        if credential.refused {
            let from = credential.identity.as_deref().unwrap_or(credential.source);
            let message = format!("the registry rejects the credential from {from}; pulls continue anonymously");
            let advice = "Log in again or replace the credential; regpass uses the new one within seconds.";
            troubles.push(Trouble { message, advice });
        }
    }
    // A problem found above already explains the last failure.
    if let Some(failed) = pending(health).filter(|_| troubles.is_empty()) {
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

fn egress_host(host: egress::EgressHost) -> EgressHost {
    EgressHost { address: host.address, purpose: host.purpose.as_str(), seen: host.is_seen }
}

fn credentials(registry: &ConfiguredRegistry, rejected: &[RejectedCredential]) -> Vec<Credential> {
    let rejected: Vec<_> = rejected.iter().filter(|rejected| rejected.upstream == registry.upstream.id).collect();
    let all = registry.policy.credentials.all();
    all.map(|(identity, source)| Credential {
        repositories: identity.map(patterns_of),
        ..credential(source, &rejected)
    })
    .collect()
}

/// The repository patterns of an identity; `**` if it names none.
fn patterns_of(identity: &Identity) -> Vec<String> {
    let patterns = identity.repositories.as_ref();
    patterns.map_or_else(|| vec!["**".to_owned()], |patterns| patterns.iter().map(ToString::to_string).collect())
}

fn credential(source: &TrackedSource, rejected: &[&RejectedCredential]) -> Credential {
    let unused = Credential {
        source: source.source(),
        repositories: None,
        identity: None,
        expires_in_seconds: None,
        refused: false,
        problem: None,
    };
    match source.last_outcome() {
        None => unused,
        Some(LastOutcome::Failed(problem)) => Credential { problem: Some(problem.into()), ..unused },
        Some(LastOutcome::Credential { id, identity, expires }) => Credential {
            identity: Some(identity.into()),
            expires_in_seconds: expires.map(|end| seconds(end.saturating_duration_since(Instant::now()))),
            refused: rejected.iter().any(|rejected| rejected.credential == id),
            ..unused
        },
    }
}

/// Whether a reported rate limit still holds: its window, or 6 h if the registry did not name one, is not over.
pub(super) fn is_current(limit: &IdentityRateLimit, now: Duration) -> bool {
    // A registry may name any window, so the sum may overflow.
    now < limit.at.saturating_add(limit.window.unwrap_or(DEFAULT_WINDOW))
}

fn rate_limit(limit: &IdentityRateLimit) -> RateLimit {
    RateLimit {
        identity: limit.identity.to_string(),
        counted: limit.source.as_deref().map(ToOwned::to_owned),
        limit: limit.limit,
        remaining: limit.remaining,
        window_seconds: limit.window.map(seconds),
        at: seconds(limit.at),
    }
}

fn token(token: &TokenSnapshot) -> Token {
    Token {
        scopes: token.scopes.clone(),
        identity: token.identity.to_string(),
        realm: token.realm.to_string(),
        expires_in_seconds: seconds(token.expires_in),
        lifetime_seconds: seconds(token.lifetime),
        uses: token.uses,
    }
}

fn last_failure(failed: &FailedRequest) -> LastFailure {
    LastFailure { at: seconds(failed.at), status: failed.status, failure: (&failed.failure).into() }
}

/// Maximum number of tokens listed for each registry, because there may be thousands. Those that expire first are
/// listed.
const MAX_TOKENS: usize = 50;
const DEFAULT_WINDOW: Duration = Duration::from_secs(6 * 60 * 60);

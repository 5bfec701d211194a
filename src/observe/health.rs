//! Health of each registry, derived from its requests, for the status page, `/readyz` and metrics.

use std::time::Duration;

use dashmap::DashMap;

use super::blame::Blame;
use super::recent_requests::{Failure, FinishedRequest};

/// Health of the registries that clients used. Bounded by [`MAX_REGISTRIES`], because a pattern in the configuration
/// may match any number of hosts.
#[derive(Debug, Default)]
pub struct Health(DashMap<Box<str>, RegistryHealth>);

/// Health of one registry since the process started. Times are since 1970.
#[derive(Clone, Debug, Default)]
pub struct RegistryHealth {
    pub host: Box<str>,
    /// The registry's label in metrics.
    pub label: Box<str>,
    pub in_flight: u64,
    /// Finished requests.
    pub requests: u64,
    /// Finished requests that failed, also those through the client's fault.
    pub failed: u64,
    /// Bytes of request bodies sent to the registry.
    pub sent: u64,
    /// Bytes of response bodies sent to clients.
    pub bytes: u64,
    /// When the registry last gave a complete response that was no failure.
    pub last_success: Option<Duration>,
    /// The last failure that was not the client's fault.
    pub last_failure: Option<FailedRequest>,
    /// Whether `last_failure` is newer than `last_success`.
    pub is_failing: bool,
    pub rate_limits: Vec<IdentityRateLimit>,
    pub last_used: Duration,
}

/// A failed request: when it ended, with which status for the client, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRequest {
    pub at: Duration,
    pub status: u16,
    pub failure: Failure,
}

/// The rate limit that a registry last reported for one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRateLimit {
    /// Describes the source of the credential, or `anonymous`.
    pub identity: Box<str>,
    /// An id that distinguishes credentials of one source. It is meaningless outside this process.
    pub credential: Box<str>,
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    /// The period that `limit` applies to.
    pub window: Option<Duration>,
    /// What the registry counts by: a client address or an account id.
    pub source: Option<Box<str>>,
    /// When the registry reported it, since 1970.
    pub at: Duration,
}

impl Health {
    /// Notes that a request for `host` started.
    pub fn request_started(&self, host: &str, label: &str, now: Duration) {
        self.make_room(host);
        let mut health = self.0.entry(host.into()).or_default();
        if health.host.is_empty() {
            (health.host, health.label) = (host.into(), label.into());
        }
        health.in_flight += 1;
        health.last_used = now;
    }

    /// Notes that a request ended for which [`request_started`](Self::request_started) was called.
    pub fn request_ended(&self, request: &FinishedRequest) {
        let Some(host) = request.registry.as_deref() else { return };
        let Some(mut health) = self.0.get_mut(host) else { return };
        health.in_flight = health.in_flight.saturating_sub(1);
        health.requests += 1;
        health.sent += request.sent;
        health.bytes += request.bytes;
        health.last_used = request.at;
        health.failed += u64::from(request.failure.is_some());
        match &request.failure {
            Some(failure) if failure.blame != Blame::Client => {
                let (at, status, failure) = (request.at, request.status, failure.clone());
                health.last_failure = Some(FailedRequest { at, status, failure });
                health.is_failing = true;
            }
            // A response that regpass made itself, or an aborted one, does not prove that the registry works.
            _ if request.attempts > 0 && request.is_complete => {
                health.last_success = Some(request.at);
                health.is_failing = false;
            }
            _ => {}
        }
    }

    /// Stores the rate limit that `host` reported; replaces the previous one of the same identity.
    pub fn record_rate_limit(&self, host: &str, reported: IdentityRateLimit) {
        let Some(mut health) = self.0.get_mut(host) else { return };
        let limits = &mut health.rate_limits;
        limits.retain(|known| (&known.credential, &known.identity) != (&reported.credential, &reported.identity));
        if limits.len() >= MAX_IDENTITIES {
            limits.remove(0);
        }
        limits.push(reported);
    }

    pub fn registry(&self, host: &str) -> Option<RegistryHealth> {
        self.0.get(host).map(|health| health.clone())
    }

    /// All registries that clients used, sorted by host.
    pub fn registries(&self) -> Vec<RegistryHealth> {
        let mut all: Vec<RegistryHealth> = self.0.iter().map(|entry| entry.value().clone()).collect();
        all.sort_by(|a, b| a.host.cmp(&b.host));
        all
    }

    /// Removes the least recently used registry without requests in flight, if there are [`MAX_REGISTRIES`] others.
    fn make_room(&self, host: &str) {
        if self.0.len() < MAX_REGISTRIES || self.0.contains_key(host) {
            return;
        }
        let idle = self.0.iter().filter(|entry| entry.in_flight == 0);
        let oldest = idle.min_by_key(|entry| entry.last_used).map(|entry| entry.key().clone());
        if let Some(oldest) = oldest {
            self.0.remove(&oldest);
        }
    }
}

pub const MAX_REGISTRIES: usize = 256;
const MAX_IDENTITIES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(credential: &str, remaining: u64) -> IdentityRateLimit {
        IdentityRateLimit {
            identity: "a file".into(),
            credential: credential.into(),
            limit: Some(100),
            remaining: Some(remaining),
            window: None,
            source: None,
            at: Duration::ZERO,
        }
    }

    #[test]
    fn least_recently_used_registry_and_oldest_rate_limit_are_removed() {
        let health = Health::default();
        for number in 0..=MAX_REGISTRIES as u64 {
            let host = format!("{number}.example");
            health.request_started(&host, "*", Duration::from_secs(number));
            if number != 0 {
                health.0.get_mut(&*host).unwrap().in_flight = 0;
            }
        }
        assert_eq!(health.registries().len(), MAX_REGISTRIES);
        assert!(health.registry("0.example").is_some(), "a registry with a request in flight stays");
        assert!(
            health.registry("1.example").is_none(),
            "the idle registry that was not used for the longest time is removed"
        );
        for number in 0..MAX_IDENTITIES as u64 + 5 {
            health.record_rate_limit("0.example", limit(&number.to_string(), number));
        }
        assert_eq!(health.registry("0.example").unwrap().rate_limits.len(), MAX_IDENTITIES);
        health.record_rate_limit("0.example", limit("20", 7));
        let limits = health.registry("0.example").unwrap().rate_limits;
        assert_eq!(limits.iter().filter(|known| &*known.credential == "20").count(), 1);
        assert_eq!(limits.last().unwrap().remaining, Some(7));
    }
}

//! How each registry has been doing, in plain values: for the status page, `/readyz` and metrics.

use std::time::Duration;

use dashmap::DashMap;

use super::blame::Blame;
use super::recent::{Failure, Finished};

/// What is known of the registries that were asked for. Bounded: a wildcard may mean any number of hosts.
#[derive(Debug, Default)]
pub struct Health(DashMap<Box<str>, Activity>);

/// One registry since the process began. Times are since 1970.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    pub host: Box<str>,
    /// Its name in metrics.
    pub label: Box<str>,
    pub in_flight: u64,
    /// Requests that are over.
    pub requests: u64,
    /// Those of them that failed, whoever is to blame.
    pub failed: u64,
    /// Body bytes from clients.
    pub sent: u64,
    /// Body bytes to clients.
    pub bytes: u64,
    /// When it last answered as it should, be it that there is no such thing.
    pub last_success: Option<Duration>,
    /// What last went wrong without the client's doing.
    pub last_failure: Option<Failed>,
    /// Whether that came after the last success.
    pub failing: bool,
    pub rate_limits: Vec<RateLimit>,
    touched: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub at: Duration,
    pub status: u16,
    pub failure: Failure,
}

/// What a registry last said about how much one identity may ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Where the login comes from that it counts for, or `anonymous`.
    pub identity: Box<str>,
    /// Tells logins of one origin apart; worth nothing outside this process.
    pub credential: Box<str>,
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    /// How long until what was used is given back, as far as it says.
    pub window: Option<Duration>,
    /// Whom the registry counts: an address or an account's id.
    pub counted: Option<Box<str>>,
    /// When it said so, since 1970.
    pub at: Duration,
}

impl Health {
    /// A request for `host` has begun.
    pub fn begun(&self, host: &str, label: &str, now: Duration) {
        self.make_room(host);
        let mut activity = self.0.entry(host.into()).or_default();
        if activity.host.is_empty() {
            (activity.host, activity.label) = (host.into(), label.into());
        }
        activity.in_flight += 1;
        activity.touched = now;
    }

    /// A request that had [`begun`](Self::begun) is over.
    pub fn ended(&self, request: &Finished) {
        let Some(host) = request.registry.as_deref() else { return };
        let Some(mut activity) = self.0.get_mut(host) else { return };
        activity.in_flight = activity.in_flight.saturating_sub(1);
        activity.requests += 1;
        activity.sent += request.sent;
        activity.bytes += request.bytes;
        activity.touched = request.at;
        activity.failed += u64::from(request.failure.is_some());
        match &request.failure {
            Some(failure) if failure.blame != Blame::Client => {
                let (at, status, failure) = (request.at, request.status, failure.clone());
                activity.last_failure = Some(Failed { at, status, failure });
                activity.failing = true;
            }
            // What regpass answers by itself says nothing about the registry; what a client gave up, little.
            _ if request.attempts > 0 && request.whole => {
                activity.last_success = Some(request.at);
                activity.failing = false;
            }
            _ => {}
        }
    }

    /// `host` told how much is left for somebody.
    pub fn limited(&self, host: &str, told: RateLimit) {
        let Some(mut activity) = self.0.get_mut(host) else { return };
        let limits = &mut activity.rate_limits;
        limits.retain(|known| (&known.credential, &known.identity) != (&told.credential, &told.identity));
        if limits.len() >= MOST_IDENTITIES {
            limits.remove(0);
        }
        limits.push(told);
    }

    pub fn of(&self, host: &str) -> Option<Activity> {
        self.0.get(host).map(|activity| activity.clone())
    }

    /// Every registry that was asked for, by name.
    pub fn all(&self) -> Vec<Activity> {
        let mut all: Vec<Activity> = self.0.iter().map(|entry| entry.value().clone()).collect();
        all.sort_by(|a, b| a.host.cmp(&b.host));
        all
    }

    /// Who was not asked for the longest time goes first.
    fn make_room(&self, host: &str) {
        if self.0.len() < MOST_REGISTRIES || self.0.contains_key(host) {
            return;
        }
        let idle = self.0.iter().filter(|entry| entry.in_flight == 0);
        let oldest = idle.min_by_key(|entry| entry.touched).map(|entry| entry.key().clone());
        if let Some(oldest) = oldest {
            self.0.remove(&oldest);
        }
    }
}

pub const MOST_REGISTRIES: usize = 256;
const MOST_IDENTITIES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(credential: &str, remaining: u64) -> RateLimit {
        RateLimit {
            identity: "a file".into(),
            credential: credential.into(),
            limit: Some(100),
            remaining: Some(remaining),
            window: None,
            counted: None,
            at: Duration::ZERO,
        }
    }

    #[test]
    fn registries_and_identities_are_bounded_and_the_oldest_goes() {
        let health = Health::default();
        for number in 0..=MOST_REGISTRIES as u64 {
            let host = format!("{number}.example");
            health.begun(&host, "*", Duration::from_secs(number));
            if number != 0 {
                health.0.get_mut(&*host).unwrap().in_flight = 0;
            }
        }
        assert_eq!(health.all().len(), MOST_REGISTRIES);
        assert!(health.of("0.example").is_some(), "somebody waits for it");
        assert!(health.of("1.example").is_none(), "the one nobody asked for the longest time");
        for number in 0..MOST_IDENTITIES as u64 + 5 {
            health.limited("0.example", limit(&number.to_string(), number));
        }
        assert_eq!(health.of("0.example").unwrap().rate_limits.len(), MOST_IDENTITIES);
        health.limited("0.example", limit("20", 7));
        let limits = health.of("0.example").unwrap().rate_limits;
        assert_eq!(limits.iter().filter(|known| &*known.credential == "20").count(), 1);
        assert_eq!(limits.last().unwrap().remaining, Some(7));
    }
}

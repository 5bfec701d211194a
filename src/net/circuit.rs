//! Circuit breakers: while a host is down, requests to it fail at once, except for one attempt after each pause.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::multiple::RefMulti;
use tokio::time::Instant;

use super::error::TransportError;
use crate::base::origin::Origin;

/// One circuit breaker per origin. It opens after three consecutive outages, never because of an HTTP response.
#[derive(Debug)]
pub(super) struct Circuits(DashMap<Origin, Mutex<Circuit>>);

/// Few shards, because each registry has several of these maps, and all are empty most of the time.
impl Default for Circuits {
    fn default() -> Self {
        Self(DashMap::with_shard_amount(4))
    }
}

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    /// The last failure: its message, whether it was a timeout, and whether a proxy caused it.
    last: Box<str>,
    is_timeout: bool,
    is_proxy_fault: bool,
    /// Set while the circuit is open: when one request may try again.
    retry_at: Option<Instant>,
}

/// An origin that failed since its last response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    pub origin: Origin,
    /// Consecutive failures.
    pub failures: u32,
    /// Message of the last failure.
    pub last: Box<str>,
    /// When the next attempt is allowed. `None` while every request is: the circuit is not open yet.
    pub open_until: Option<Instant>,
}

impl Circuits {
    /// The origins that failed since their last response.
    pub(super) fn outages(&self) -> Vec<Outage> {
        let outage = |entry: RefMulti<'_, Origin, Mutex<Circuit>>| {
            let circuit = entry.value().lock().unwrap_or_else(PoisonError::into_inner);
            let (failures, last) = (circuit.failures, circuit.last.clone());
            Outage { origin: entry.key().clone(), failures, last, open_until: circuit.retry_at }
        };
        self.0.iter().map(outage).collect()
    }

    /// Whether a request to `origin` is allowed now. While the circuit is open, one request is allowed after each
    /// pause; the others get [`TransportError::CircuitOpen`].
    pub(super) fn check(&self, origin: &Origin) -> Result<(), TransportError> {
        let Some(entry) = self.0.get(origin) else { return Ok(()) };
        let mut circuit = entry.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match circuit.retry_at {
            Some(at) if now < at => Err(TransportError::CircuitOpen {
                last: circuit.last.clone(),
                is_timeout: circuit.is_timeout,
                is_proxy_fault: circuit.is_proxy_fault,
                failures: circuit.failures,
                retry_in: at - now,
            }),
            Some(_) => {
                circuit.retry_at = Some(now + pause(circuit.failures));
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn record_response(&self, origin: &Origin) {
        self.0.remove(origin);
    }

    pub(super) fn record_failure(&self, origin: &Origin, error: &TransportError) {
        if self.0.len() >= MAX_ORIGINS {
            self.0.clear();
        }
        let entry = self.0.entry(origin.clone()).or_default();
        let mut circuit = entry.lock().unwrap_or_else(PoisonError::into_inner);
        circuit.failures = circuit.failures.saturating_add(1);
        circuit.last = error.to_string().into();
        circuit.is_timeout = error.is_timeout();
        circuit.is_proxy_fault = error.is_proxy_fault();
        if circuit.failures >= OPENS_AFTER {
            circuit.retry_at = Some(Instant::now() + pause(circuit.failures));
        }
    }
}

/// The pause of an open circuit: 1 s after the third consecutive failure, then doubling up to 30 s.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(OPENS_AFTER).min(5)).min(Duration::from_secs(30))
}

const OPENS_AFTER: u32 = 3;
/// When this many origins have failures, all circuits are reset.
const MAX_ORIGINS: usize = 1024;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_failures_open_a_circuit_and_one_response_closes_it() {
        let circuits = Circuits::default();
        let (dead, alive) = (Origin::https("dead.io").unwrap(), Origin::https("alive.io").unwrap());
        for _ in 0..3 {
            assert!(circuits.check(&dead).is_ok());
            circuits.record_failure(&dead, &TransportError::NameLookup);
        }
        let open = circuits.check(&dead).unwrap_err();
        assert_eq!(
            open.to_string(),
            "its host name cannot be resolved (3 failures in a row; next attempt in 1 s)",
            "a blocked request reports the cause"
        );
        assert!(!open.is_timeout());
        assert!(circuits.check(&alive).is_ok(), "the circuit of another host stays closed");
        let outages = circuits.outages();
        assert_eq!((outages.len(), &outages[0].origin, outages[0].failures), (1, &dead, 3));
        assert!(outages[0].open_until.is_some(), "no request may try yet");
        advance(Duration::from_millis(1001)).await;
        assert!(circuits.check(&dead).is_ok(), "one request may try");
        assert!(circuits.check(&dead).is_err(), "further requests may not");
        circuits.record_response(&dead);
        assert!(circuits.check(&dead).is_ok() && circuits.check(&dead).is_ok());
        assert_eq!(circuits.outages(), []);
    }

    #[test]
    fn pauses_double_up_to_30_seconds() {
        assert_eq!([3, 4, 5, 9, 4_000_000_000].map(|n| pause(n).as_secs()), [1, 2, 4, 30, 30]);
    }
}

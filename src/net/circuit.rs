//! Circuits: a host that is down is asked again after a pause, not by every request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::multiple::RefMulti;
use tokio::time::Instant;

use super::error::TransportError;
use crate::base::origin::Origin;

/// One circuit per origin. Opens on connect failures and timeouts, never on an HTTP answer.
#[derive(Debug, Default)]
pub(super) struct Circuits(DashMap<Origin, Mutex<Circuit>>);

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    /// What the last failure was, in words, whether a deadline passed, and whether a proxy is to blame.
    last: Box<str>,
    timed_out: bool,
    by_proxy: bool,
    /// When open: until then nobody tries, and after it one at a time does.
    retry_at: Option<Instant>,
}

/// A host that did not answer the last time it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    pub origin: Origin,
    /// In a row.
    pub failures: u32,
    /// What the last one was.
    pub last: Box<str>,
    /// Until when nobody tries; `None` while it is asked by every request.
    pub open_until: Option<Instant>,
}

impl Circuits {
    /// The hosts that failed and have not answered since.
    pub(super) fn outages(&self) -> Vec<Outage> {
        let outage = |entry: RefMulti<'_, Origin, Mutex<Circuit>>| {
            let circuit = entry.value().lock().unwrap_or_else(PoisonError::into_inner);
            let (failures, last) = (circuit.failures, circuit.last.clone());
            Outage { origin: entry.key().clone(), failures, last, open_until: circuit.retry_at }
        };
        self.0.iter().map(outage).collect()
    }

    /// Whether `origin` may be tried now. When its pause is over, the caller is the one who tries.
    pub(super) fn check(&self, origin: &Origin) -> Result<(), TransportError> {
        let Some(entry) = self.0.get(origin) else { return Ok(()) };
        let mut circuit = entry.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match circuit.retry_at {
            Some(at) if now < at => Err(TransportError::CircuitOpen {
                last: circuit.last.clone(),
                timed_out: circuit.timed_out,
                by_proxy: circuit.by_proxy,
                failures: circuit.failures,
                wait: at - now,
            }),
            Some(_) => {
                circuit.retry_at = Some(now + pause(circuit.failures));
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn answered(&self, origin: &Origin) {
        self.0.remove(origin);
    }

    pub(super) fn failed(&self, origin: &Origin, why: &TransportError) {
        if self.0.len() >= CAP {
            self.0.clear();
        }
        let entry = self.0.entry(origin.clone()).or_default();
        let mut circuit = entry.lock().unwrap_or_else(PoisonError::into_inner);
        circuit.failures = circuit.failures.saturating_add(1);
        circuit.last = why.to_string().into();
        circuit.timed_out = why.is_timeout();
        circuit.by_proxy = why.is_of_proxy();
        if circuit.failures >= TOLERATED {
            circuit.retry_at = Some(Instant::now() + pause(circuit.failures));
        }
    }
}

/// 1 s after the third failure in a row, doubling to 30 s.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(TOLERATED).min(5)).min(Duration::from_secs(30))
}

const TOLERATED: u32 = 3;
const CAP: usize = 1024;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_failures_open_and_one_answer_closes() {
        let circuits = Circuits::default();
        let (dead, alive) = (Origin::https("dead.io").unwrap(), Origin::https("alive.io").unwrap());
        for _ in 0..3 {
            assert!(circuits.check(&dead).is_ok());
            circuits.failed(&dead, &TransportError::NameLookup);
        }
        let open = circuits.check(&dead).unwrap_err();
        assert_eq!(
            open.to_string(),
            "its name cannot be resolved (3 times in a row; the next try is in 1 s)",
            "whoever comes now hears what is wrong, too"
        );
        assert!(!open.is_timeout());
        assert!(circuits.check(&alive).is_ok(), "another host is not slowed");
        let outages = circuits.outages();
        assert_eq!((outages.len(), &outages[0].origin, outages[0].failures), (1, &dead, 3));
        assert!(outages[0].open_until.is_some(), "nobody tries");
        advance(Duration::from_millis(1001)).await;
        assert!(circuits.check(&dead).is_ok(), "one may try");
        assert!(circuits.check(&dead).is_err(), "the others wait for it");
        circuits.answered(&dead);
        assert!(circuits.check(&dead).is_ok() && circuits.check(&dead).is_ok());
        assert_eq!(circuits.outages(), []);
    }

    #[test]
    fn pauses_grow_to_half_a_minute() {
        assert_eq!([3, 4, 5, 9, 4_000_000_000].map(|n| pause(n).as_secs()), [1, 2, 4, 30, 30]);
    }
}

//! The faults of one server while they are switched on, and what they make of a request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::body::Ending;
use super::fault::{Alteration, Effect, Fault, Interruption};
use super::ledger::Entry;
use super::lock;
use super::reply::Reply;

/// Counts what a fault did, and takes it back.
#[derive(Clone)]
pub struct FaultHandle {
    faults: Arc<Faults>,
    number: usize,
    hits: Arc<AtomicUsize>,
}

impl FaultHandle {
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::Acquire)
    }

    pub fn lift(&self) {
        lock(&self.faults.active).retain(|active| active.number != self.number);
    }
}

#[derive(Default)]
pub(super) struct Faults {
    active: Mutex<Vec<Active>>,
    injected: AtomicUsize,
}

struct Active {
    number: usize,
    fault: Fault,
    hits: Arc<AtomicUsize>,
}

/// What happens to one request.
pub(super) struct Plan {
    pub(super) delay: Duration,
    pub(super) hang: bool,
    pub(super) answer: Option<Reply>,
    pub(super) ending: Ending,
    pub(super) close_after: bool,
    pub(super) interruption: Option<Interruption>,
    alterations: Vec<Alteration>,
}

impl Plan {
    pub(super) fn alter(&self, entry: &Entry, reply: Reply) -> Reply {
        self.alterations.iter().fold(reply, |reply, alteration| alteration(entry, reply))
    }
}

pub(super) enum OnAccept {
    Serve,
    Hang,
    Close,
}

impl Faults {
    pub(super) fn inject(self: &Arc<Self>, fault: Fault) -> FaultHandle {
        let number = self.injected.fetch_add(1, Ordering::AcqRel);
        let hits = Arc::<AtomicUsize>::default();
        lock(&self.active).push(Active { number, fault, hits: Arc::clone(&hits) });
        FaultHandle { faults: Arc::clone(self), number, hits }
    }

    pub(super) fn lift_all(&self) {
        lock(&self.active).clear();
    }

    pub(super) fn on_accept(&self) -> OnAccept {
        match self.take_effects(|fault| matches!(fault.effect, Effect::HangOnAccept | Effect::CloseOnAccept)).first() {
            Some(Effect::HangOnAccept) => OnAccept::Hang,
            Some(_) => OnAccept::Close,
            None => OnAccept::Serve,
        }
    }

    /// Collects every fault that applies, in order of injection; of two answers the later one stands.
    pub(super) fn plan(&self, entry: &Entry) -> Plan {
        let mut plan = Plan {
            delay: Duration::ZERO,
            hang: false,
            answer: None,
            ending: Ending::Whole,
            close_after: false,
            interruption: None,
            alterations: Vec::new(),
        };
        for effect in self.take_effects(|fault| fault.conditions.iter().all(|holds| holds(entry))) {
            match effect {
                Effect::Delay(duration) => plan.delay += duration,
                Effect::HangBeforeHead => plan.hang = true,
                Effect::Answer(reply) => plan.answer = Some(*reply),
                Effect::Alter(alteration) => plan.alterations.push(alteration),
                Effect::End(ending) => plan.ending = ending,
                Effect::CloseAfterAnswer => plan.close_after = true,
                Effect::Interrupt(interruption) => plan.interruption = Some(interruption),
                Effect::HangOnAccept | Effect::CloseOnAccept => {}
            }
        }
        plan
    }

    fn take_effects(&self, applies: impl Fn(&Fault) -> bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        for active in lock(&self.active).iter_mut() {
            if applies(&active.fault) && active.fault.use_up() {
                active.hits.fetch_add(1, Ordering::AcqRel);
                effects.push(active.fault.effect.clone());
            }
        }
        effects
    }
}

//! The active faults of one server, and the plan that they make for a request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::body::Ending;
use super::fault::{Alteration, Effect, Fault, UploadInterruption};
use super::ledger::Entry;
use super::lock;
use super::reply::Reply;

/// The handle of an injected fault, to count its uses and to remove it.
#[derive(Clone)]
pub struct FaultHandle {
    faults: Arc<ServerFaults>,
    number: usize,
    hits: Arc<AtomicUsize>,
}

impl FaultHandle {
    /// How many requests or connections the fault was applied to.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::Acquire)
    }

    pub fn remove(&self) {
        lock(&self.faults.active).retain(|active| active.number != self.number);
    }
}

#[derive(Default)]
pub(super) struct ServerFaults {
    active: Mutex<Vec<ActiveFault>>,
    injected: AtomicUsize,
}

struct ActiveFault {
    number: usize,
    fault: Fault,
    hits: Arc<AtomicUsize>,
}

/// What the faults do to one request.
pub(super) struct RequestPlan {
    pub(super) delay: Duration,
    pub(super) hang: bool,
    /// The connection closes as soon as the head of the request has arrived.
    pub(super) close_at_once: bool,
    /// Sent instead of the handler's reply.
    pub(super) reply: Option<Reply>,
    pub(super) ending: Ending,
    pub(super) close_after: bool,
    pub(super) interruption: Option<UploadInterruption>,
    alterations: Vec<Alteration>,
}

impl RequestPlan {
    pub(super) fn alter(&self, entry: &Entry, reply: Reply) -> Reply {
        self.alterations.iter().fold(reply, |reply, alteration| alteration(entry, reply))
    }
}

pub(super) enum OnAccept {
    Serve,
    Hang,
    Close,
}

impl ServerFaults {
    pub(super) fn inject(self: &Arc<Self>, fault: Fault) -> FaultHandle {
        let number = self.injected.fetch_add(1, Ordering::AcqRel);
        let hits = Arc::<AtomicUsize>::default();
        lock(&self.active).push(ActiveFault { number, fault, hits: Arc::clone(&hits) });
        FaultHandle { faults: Arc::clone(self), number, hits }
    }

    pub(super) fn clear(&self) {
        lock(&self.active).clear();
    }

    pub(super) fn on_accept(&self) -> OnAccept {
        match self.take_effects(|fault| matches!(fault.effect, Effect::HangOnAccept | Effect::CloseOnAccept)).first() {
            Some(Effect::HangOnAccept) => OnAccept::Hang,
            Some(_) => OnAccept::Close,
            None => OnAccept::Serve,
        }
    }

    /// Combines every fault that applies, in order of injection: delays add up, alterations follow each other, and of
    /// several replies, endings or interruptions the last one wins.
    pub(super) fn plan(&self, entry: &Entry) -> RequestPlan {
        let mut plan = RequestPlan {
            delay: Duration::ZERO,
            hang: false,
            close_at_once: false,
            reply: None,
            ending: Ending::Whole,
            close_after: false,
            interruption: None,
            alterations: Vec::new(),
        };
        for effect in self.take_effects(|fault| fault.conditions.iter().all(|holds| holds(entry))) {
            match effect {
                Effect::Delay(duration) => plan.delay += duration,
                Effect::HangBeforeHead => plan.hang = true,
                Effect::CloseBeforeHead => plan.close_at_once = true,
                Effect::Answer(reply) => plan.reply = Some(*reply),
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

//! An image whose requests are still coming.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::{Direction, Extra, Outcome, Part, Summary};
use crate::base::clock::WallClock;
use crate::observe::recent::{Failure, Finished};

#[derive(Debug)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) registry: Box<str>,
    pub(super) repository: Box<str>,
    /// `None` as long as somebody only looked whether it is there.
    pub(super) direction: Option<Direction>,
    in_flight: u32,
    begun: Instant,
    /// When its last request ended.
    ended: Instant,
    /// What the client calls it.
    top: Option<Box<str>>,
    digest: Option<Box<str>>,
    tags: Set,
    manifests: Set,
    blobs: Set,
    /// Whether the manifest that makes an image of what was pushed has arrived.
    is_named: bool,
    bytes: u64,
    requests: u32,
    token_fetches: u32,
    auth: Duration,
    troubles: Vec<Trouble>,
}

/// A request that did not go well, and was not made good since.
#[derive(Debug)]
struct Trouble {
    part: Part,
    reference: Option<Box<str>>,
    /// `None` when the client left.
    failure: Option<Failure>,
}

/// Different names, as far as anybody wants to know.
#[derive(Debug, Default)]
struct Set(HashSet<Box<str>>);

impl Set {
    fn add(&mut self, name: Option<&str>) {
        if self.0.len() < MOST_NAMES {
            self.0.extend(name.map(Into::into));
        }
    }
}

impl Open {
    pub(super) fn new(number: u64, registry: &str, repository: &str) -> Self {
        let now = Instant::now();
        Self {
            number,
            registry: registry.into(),
            repository: repository.into(),
            direction: None,
            in_flight: 0,
            begun: now,
            ended: now,
            top: None,
            digest: None,
            tags: Set::default(),
            manifests: Set::default(),
            blobs: Set::default(),
            is_named: false,
            bytes: 0,
            requests: 0,
            token_fetches: 0,
            auth: Duration::ZERO,
            troubles: Vec::new(),
        }
    }

    /// Whether nothing is missing and a request can only be the beginning of another pull or push.
    pub(super) fn is_complete_before(&self, part: Part, reference: Option<&str>) -> bool {
        let names_tag = part.is_manifest() && reference.is_some_and(is_tag);
        let is_another = self.top.as_deref() != reference;
        self.in_flight == 0
            && match self.direction {
                None => false,
                // A pull begins with its tag and never comes back to it.
                Some(Direction::Pull) => names_tag && (is_another || !self.blobs.0.is_empty()),
                // A push ends with its tag.
                Some(Direction::Push) => self.is_named && (!part.is_manifest() || (names_tag && is_another)),
            }
    }

    pub(super) fn begun(&mut self, part: Part, reference: Option<&str>) {
        self.in_flight += 1;
        self.direction = self.direction.or(part.direction());
        let Some(reference) = reference.filter(|_| part.is_manifest()) else { return };
        if is_tag(reference) {
            self.tags.add(Some(reference));
        }
        // A pull asks for the top first, a push sends it last; a tag is never below a digest.
        let is_top = match &self.top {
            None => true,
            Some(top) => part == Part::WriteManifest && (is_tag(reference) || !is_tag(top)),
        };
        if is_top && self.top.as_deref() != Some(reference) {
            self.top = Some(reference.into());
            self.digest = None;
        }
    }

    pub(super) fn ended(&mut self, part: Part, request: &Finished, extra: &Extra<'_>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.ended = Instant::now();
        self.requests += 1;
        self.token_fetches += extra.token_fetches;
        self.auth += request.time.auth;
        self.bytes += if part.direction() == Some(Direction::Push) { request.sent } else { request.bytes };
        let reference = request.reference.as_deref();
        if request.failure.is_some() || !request.whole {
            self.failed(part, request);
            return;
        }
        self.troubles.retain(|trouble| (trouble.part, trouble.reference.as_deref()) != (part, reference));
        match part {
            Part::ReadManifest if request.status != 304 => self.manifests.add(reference),
            Part::WriteManifest => {
                self.manifests.add(reference);
                if reference.is_some_and(is_tag) {
                    self.is_named = true;
                    // The registry has all of it, by whichever way.
                    self.troubles.clear();
                }
            }
            Part::ReadBlob => self.blobs.add(reference),
            // A mount that is declined begins an upload.
            Part::WriteBlob if request.status == 201 => self.blobs.add(reference),
            _ => {}
        }
        if part.is_manifest() && reference == self.top.as_deref() {
            self.digest = extra.digest.map(Into::into).or_else(|| self.digest.take());
        }
    }

    fn failed(&mut self, part: Part, request: &Finished) {
        if self.troubles.len() < MOST_TROUBLES {
            let (reference, failure) = (request.reference.clone(), request.failure.clone());
            self.troubles.push(Trouble { part, reference, failure });
        }
    }

    /// Since when nobody asks for anything of it.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        (self.in_flight == 0).then_some(self.ended)
    }

    /// What there is to tell of it. Whoever only looked at something that is there has neither pulled nor pushed it.
    pub(super) fn over(self, clock: WallClock) -> Option<Summary> {
        let (direction, outcome) = if let Some(direction) = self.direction {
            (direction, self.outcome(direction))
        } else {
            // A pull that ended before it began.
            let refused = self.troubles.iter().find(|trouble| trouble.part == Part::Look)?;
            (Direction::Pull, Outcome::Failed(refused.failure.clone()?))
        };
        let top = self.top.as_deref().map(|top| format!("{}{top}", if is_tag(top) { ':' } else { '@' }));
        let open_still = self.in_flight > 0;
        let ended = if open_still { Instant::now() } else { self.ended };
        Some(Summary {
            number: self.number,
            image: format!("{}/{}{}", self.registry, self.repository, top.unwrap_or_default()),
            digest: self.digest,
            direction,
            manifests: self.manifests.0.len(),
            blobs: self.blobs.0.len(),
            bytes: self.bytes,
            requests: self.requests,
            token_fetches: self.token_fetches,
            auth: self.auth,
            time: ended - self.begun,
            at: clock.unix_time().saturating_sub(ended.elapsed()),
            other_tags: self.tags.0.len().saturating_sub(1),
            outcome,
        })
    }

    fn outcome(&self, direction: Direction) -> Outcome {
        let mut troubles = self.troubles.iter().filter(|trouble| !trouble.part.only_looks()).peekable();
        let has_left = troubles.peek().is_some();
        if let Some(failure) = troubles.find_map(|trouble| trouble.failure.clone()) {
            return Outcome::Failed(failure);
        }
        let has_no_manifest = direction == Direction::Push && self.manifests.0.is_empty();
        if has_left || self.in_flight > 0 || has_no_manifest { Outcome::Unfinished } else { Outcome::Ok }
    }
}

fn is_tag(reference: &str) -> bool {
    !reference.contains(':')
}

/// More than the layers of an image, and the images of an index.
const MOST_NAMES: usize = 256;
const MOST_TROUBLES: usize = 16;

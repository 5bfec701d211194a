//! An image that is being pulled or pushed.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::{Direction, ImageDetails, Outcome, RequestRole, Summary};
use crate::base::clock::WallClock;
use crate::observe::recent_requests::{Failure, FinishedRequest};

/// What the requests of one image have done so far.
#[derive(Debug)]
pub(super) struct ActiveImage {
    pub(super) number: u64,
    pub(super) registry: Box<str>,
    pub(super) repository: Box<str>,
    /// `None` as long as all requests were existence checks.
    pub(super) direction: Option<Direction>,
    in_flight: u32,
    started: Instant,
    last_request_ended: Instant,
    /// Tag or digest of the top manifest: the image as the client names it.
    top: Option<Box<str>>,
    /// Digest of the top manifest.
    digest: Option<Box<str>>,
    tags: BoundedSet,
    manifests: BoundedSet,
    blobs: BoundedSet,
    /// Whether a manifest was pushed to a tag, which completes a push.
    is_tagged: bool,
    bytes: u64,
    requests: u32,
    token_fetches: u32,
    auth: Duration,
    unresolved: Vec<UnresolvedRequest>,
}

/// A failed or aborted request that no later request of the same role and reference repeated successfully.
#[derive(Debug)]
struct UnresolvedRequest {
    role: RequestRole,
    reference: Option<Box<str>>,
    /// `None` when the client disconnected.
    failure: Option<Failure>,
}

/// A set of at most [`MAX_NAMES`] names; further ones are ignored.
#[derive(Debug, Default)]
struct BoundedSet(HashSet<Box<str>>);

impl BoundedSet {
    fn add(&mut self, name: Option<&str>) {
        if self.0.len() < MAX_NAMES {
            self.0.extend(name.map(Into::into));
        }
    }
}

impl ActiveImage {
    pub(super) fn new(number: u64, registry: &str, repository: &str) -> Self {
        let now = Instant::now();
        Self {
            number,
            registry: registry.into(),
            repository: repository.into(),
            direction: None,
            in_flight: 0,
            started: now,
            last_request_ended: now,
            top: None,
            digest: None,
            tags: BoundedSet::default(),
            manifests: BoundedSet::default(),
            blobs: BoundedSet::default(),
            is_tagged: false,
            bytes: 0,
            requests: 0,
            token_fetches: 0,
            auth: Duration::ZERO,
            unresolved: Vec::new(),
        }
    }

    /// Whether the image is complete, because this next request can only belong to another pull or push.
    pub(super) fn is_complete_before(&self, role: RequestRole, reference: Option<&str>) -> bool {
        let names_tag = role.is_manifest() && reference.is_some_and(is_tag);
        let is_another = self.top.as_deref() != reference;
        self.in_flight == 0
            && match self.direction {
                None => false,
                // A pull requests one tag, and only before its first blob.
                Some(Direction::Pull) => names_tag && (is_another || !self.blobs.0.is_empty()),
                // A push is complete once its manifest has been pushed to a tag.
                Some(Direction::Push) => self.is_tagged && (!role.is_manifest() || (names_tag && is_another)),
            }
    }

    pub(super) fn request_started(&mut self, role: RequestRole, reference: Option<&str>) {
        self.in_flight += 1;
        self.direction = self.direction.or(role.direction());
        let Some(reference) = reference.filter(|_| role.is_manifest()) else { return };
        if is_tag(reference) {
            self.tags.add(Some(reference));
        }
        // A pull requests the top manifest first, a push sends it last. A tag always names a top manifest.
        let is_top = match &self.top {
            None => true,
            Some(top) => role == RequestRole::WriteManifest && (is_tag(reference) || !is_tag(top)),
        };
        if is_top && self.top.as_deref() != Some(reference) {
            self.top = Some(reference.into());
            self.digest = None;
        }
    }

    pub(super) fn request_ended(&mut self, role: RequestRole, request: &FinishedRequest, details: &ImageDetails<'_>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last_request_ended = Instant::now();
        self.requests += 1;
        self.token_fetches += details.token_fetches;
        self.auth += request.time.auth;
        self.bytes += if role.direction() == Some(Direction::Push) { request.sent } else { request.bytes };
        let reference = request.reference.as_deref();
        if request.failure.is_some() || !request.is_complete {
            self.add_unresolved(role, request);
            return;
        }
        self.unresolved.retain(|failed| (failed.role, failed.reference.as_deref()) != (role, reference));
        match role {
            RequestRole::ReadManifest if request.status != 304 => self.manifests.add(reference),
            RequestRole::WriteManifest => {
                self.manifests.add(reference);
                if reference.is_some_and(is_tag) {
                    self.is_tagged = true;
                    // The registry accepted the tag, so it has all blobs, whatever failed on the way.
                    self.unresolved.clear();
                }
            }
            RequestRole::ReadBlob => self.blobs.add(reference),
            // A 202 means that the registry did not mount the blob and started an upload.
            RequestRole::WriteBlob if request.status == 201 => self.blobs.add(reference),
            _ => {}
        }
        if role.is_manifest() && reference == self.top.as_deref() {
            self.digest = details.digest.map(Into::into).or_else(|| self.digest.take());
        }
    }

    fn add_unresolved(&mut self, role: RequestRole, request: &FinishedRequest) {
        if self.unresolved.len() < MAX_UNRESOLVED {
            let (reference, failure) = (request.reference.clone(), request.failure.clone());
            self.unresolved.push(UnresolvedRequest { role, reference, failure });
        }
    }

    /// When the last request ended; `None` while a request is in flight.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        (self.in_flight == 0).then_some(self.last_request_ended)
    }

    /// Ends the image. `None` when there were only existence checks and no check of a manifest failed: that is neither
    /// a pull nor a push.
    pub(super) fn into_summary(self, clock: WallClock) -> Option<Summary> {
        let (direction, outcome) = if let Some(direction) = self.direction {
            (direction, self.outcome(direction))
        } else {
            // A failed check of the manifest is a pull that ended before it started.
            let failed = self.unresolved.iter().find(|failed| failed.role == RequestRole::CheckManifest)?;
            (Direction::Pull, Outcome::Failed(failed.failure.clone()?))
        };
        let top = self.top.as_deref().map(|top| format!("{}{top}", if is_tag(top) { ':' } else { '@' }));
        let ended = self.quiet_since().unwrap_or_else(Instant::now);
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
            time: ended - self.started,
            at: clock.unix_time().saturating_sub(ended.elapsed()),
            other_tags: self.tags.0.len().saturating_sub(1),
            outcome,
        })
    }

    fn outcome(&self, direction: Direction) -> Outcome {
        let mut unresolved = self.unresolved.iter().filter(|failed| !failed.role.is_existence_check()).peekable();
        let is_aborted = unresolved.peek().is_some();
        if let Some(failure) = unresolved.find_map(|failed| failed.failure.clone()) {
            return Outcome::Failed(failure);
        }
        let has_no_manifest = direction == Direction::Push && self.manifests.0.is_empty();
        if is_aborted || self.in_flight > 0 || has_no_manifest { Outcome::Unfinished } else { Outcome::Ok }
    }
}

fn is_tag(reference: &str) -> bool {
    !reference.contains(':')
}

/// Names per set. Images have fewer layers, and indexes fewer images.
const MAX_NAMES: usize = 256;
const MAX_UNRESOLVED: usize = 16;

//! Pulls and pushes of images, recognized from their requests and logged as one line each.
//!
//! No request says that it belongs to the pull of an image: clients request manifests and blobs of one repository in
//! quick succession. Requests for one registry, repository and direction therefore count as one image until
//! [`QUIET_PERIOD`] passes without any. A request for a tag after the image is complete starts another image. Clients
//! that pull the same repository at the same time cannot be distinguished and share a line.

mod active;
mod role;
mod summary;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::recent_requests::FinishedRequest;
use crate::base::clock::WallClock;
use crate::oci::operation::Operation;
use active::ActiveImage;
pub use role::RequestRole;
pub use summary::{Direction, Outcome, Summary};

/// The images that are being pulled or pushed, at most `MAX_ACTIVE`, and the last `MAX_REMEMBERED` that ended.
#[derive(Debug)]
pub struct Images {
    clock: WallClock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    active: Vec<ActiveImage>,
    ended: VecDeque<Summary>,
    last_number: u64,
    /// Whether a task runs that ends quiet images.
    has_sweeper: bool,
}

/// A request that belongs to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRequest {
    image: u64,
    role: RequestRole,
}

/// Details of a finished request that only its image records, beyond [`FinishedRequest`].
#[derive(Debug)]
pub struct ImageDetails<'a> {
    /// `Docker-Content-Digest` of a manifest response.
    pub digest: Option<&'a str>,
    /// Tokens fetched for the request.
    pub token_fetches: u32,
}

impl Images {
    pub fn new(clock: WallClock) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::default() })
    }

    /// Assigns a starting request to an image. `None` when its operation has no role in a pull or push, or when
    /// `MAX_ACTIVE` images have requests in flight.
    pub fn request_started(
        self: &Arc<Self>,
        registry: &str,
        operation: &Operation,
        method: &Method,
    ) -> Option<ImageRequest> {
        let role = RequestRole::of(operation, method)?;
        let repository = operation.repository()?.as_str();
        let reference = operation.reference();
        let mut ended = Vec::new();
        let image = {
            let mut state = self.lock();
            let mut found = state.find(registry, repository, role);
            if let Some(at) = found.filter(|at| state.active[*at].is_complete_before(role, reference)) {
                ended.extend(state.active.remove(at).into_summary(self.clock));
                found = None;
            }
            let at = if let Some(at) = found {
                at
            } else {
                if state.active.len() >= MAX_ACTIVE {
                    let quietest = state.longest_quiet()?;
                    ended.extend(state.active.remove(quietest).into_summary(self.clock));
                }
                state.last_number += 1;
                let number = state.last_number;
                state.active.push(ActiveImage::new(number, registry, repository));
                state.active.len() - 1
            };
            state.active[at].request_started(role, reference);
            self.ensure_sweeper(&mut state);
            state.active[at].number
        };
        self.publish(ended);
        Some(ImageRequest { image, role })
    }

    /// Notes that a request ended for which [`request_started`](Self::request_started) returned `request`.
    pub fn request_ended(&self, request: ImageRequest, finished: &FinishedRequest, details: &ImageDetails<'_>) {
        let mut state = self.lock();
        if let Some(image) = state.active.iter_mut().find(|image| image.number == request.image) {
            image.request_ended(request.role, finished, details);
        }
    }

    /// The images that ended last, newest first.
    pub fn recent(&self) -> Vec<Summary> {
        self.lock().ended.iter().rev().cloned().collect()
    }

    /// Ends all images, because the process stops.
    pub fn flush(&self) {
        let active = std::mem::take(&mut self.lock().active);
        self.publish(active.into_iter().filter_map(|image| image.into_summary(self.clock)).collect());
    }

    /// Spawns the task that ends quiet images, unless it runs. It stops when no image is active.
    fn ensure_sweeper(self: &Arc<Self>, state: &mut State) {
        let Ok(runtime) = Handle::try_current() else { return };
        if std::mem::replace(&mut state.has_sweeper, true) {
            return;
        }
        let images = self.clone();
        runtime.spawn(async move {
            while let Some(due) = images.next_sweep() {
                sleep_until(due).await;
                images.sweep();
            }
        });
    }

    /// When to look for quiet images again; `None` when no image is active.
    fn next_sweep(&self) -> Option<Instant> {
        let mut state = self.lock();
        state.has_sweeper = !state.active.is_empty();
        let latest = state.has_sweeper.then(|| Instant::now() + QUIET_PERIOD)?;
        let ends = state.active.iter().filter_map(ActiveImage::quiet_since).map(|since| since + QUIET_PERIOD);
        Some(ends.min().unwrap_or(latest).min(latest))
    }

    /// Ends the images that have been quiet for [`QUIET_PERIOD`].
    fn sweep(&self) {
        let now = Instant::now();
        let is_over = |image: &mut ActiveImage| image.quiet_since().is_some_and(|since| since + QUIET_PERIOD <= now);
        let ended: Vec<ActiveImage> = self.lock().active.extract_if(.., is_over).collect();
        self.publish(ended.into_iter().filter_map(|image| image.into_summary(self.clock)).collect());
    }

    /// Logs images that ended and keeps them for the status page.
    fn publish(&self, ended: Vec<Summary>) {
        for summary in ended {
            summary.log();
            let mut state = self.lock();
            if state.ended.len() >= MAX_REMEMBERED {
                state.ended.pop_front();
            }
            state.ended.push_back(summary);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The index of the image that a request with this role belongs to.
    fn find(&self, registry: &str, repository: &str, role: RequestRole) -> Option<usize> {
        let is_same = |image: &ActiveImage| (&*image.registry, &*image.repository) == (registry, repository);
        let with_direction = |direction: &Option<Direction>| {
            self.active.iter().position(|image| is_same(image) && image.direction == *direction)
        };
        role.directions_to_join().iter().find_map(with_direction)
    }

    /// The index of the image that has been quiet for longest; `None` when all have requests in flight.
    fn longest_quiet(&self) -> Option<usize> {
        let quiet = self.active.iter().enumerate().filter_map(|(at, image)| Some((image.quiet_since()?, at)));
        quiet.min().map(|(_, at)| at)
    }
}

/// Time without requests after which an image ends.
pub const QUIET_PERIOD: Duration = Duration::from_secs(5);
const MAX_ACTIVE: usize = 256;
const MAX_REMEMBERED: usize = 50;

#[cfg(test)]
mod tests;

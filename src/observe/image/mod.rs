//! Pulls and pushes of images, put together from their requests: one line each.
//!
//! A client says nowhere that it pulls an image; it asks for manifests and blobs of one repository, one soon after the
//! other. So requests of one registry, repository and direction are one image, until [`QUIET`] passes without any. A
//! tag that is asked for when the image before it is complete begins another. Clients that pull the same repository at
//! the same time cannot be told apart, and share a line.

mod open;
mod part;
mod summary;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::recent::Finished;
use crate::base::clock::WallClock;
use crate::oci::operation::Operation;
use open::Open;
pub use part::Part;
pub use summary::{Direction, Outcome, Summary};

/// The images that are being pulled and pushed, and the last that were. Bounded.
#[derive(Debug)]
pub struct Images {
    clock: WallClock,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    open: Vec<Open>,
    over: VecDeque<Summary>,
    last: u64,
    /// Whether a task sees to it that images end.
    watched: bool,
}

/// A request's place in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    image: u64,
    part: Part,
}

/// What a finished request leaves beside what everybody knows of it.
#[derive(Debug)]
pub struct Extra<'a> {
    /// `Docker-Content-Digest` of a manifest.
    pub digest: Option<&'a str>,
    /// Tokens that were fetched for it.
    pub token_fetches: u32,
}

impl Images {
    pub fn new(clock: WallClock) -> Arc<Self> {
        Arc::new(Self { clock, now: Mutex::default() })
    }

    /// A request has begun. `None` when it is no part of a pull or push, or there are too many to follow.
    pub fn begun(self: &Arc<Self>, registry: &str, operation: &Operation, method: &Method) -> Option<Place> {
        let part = Part::of(operation, method)?;
        let repository = operation.repository()?.as_str();
        let reference = operation.reference();
        let mut over = Vec::new();
        let image = {
            let mut now = self.lock();
            let of_it = |open: &Open| (&*open.registry, &*open.repository) == (registry, repository);
            let mut found = part
                .joins()
                .iter()
                .find_map(|direction| now.open.iter().position(|open| of_it(open) && open.direction == *direction));
            if let Some(at) = found.filter(|at| now.open[*at].is_complete_before(part, reference)) {
                over.extend(now.open.remove(at).over(self.clock));
                found = None;
            }
            let at = if let Some(at) = found {
                at
            } else {
                if now.open.len() >= MOST_OPEN {
                    let longest = now.longest_quiet()?;
                    over.extend(now.open.remove(longest).over(self.clock));
                }
                now.last += 1;
                let image = now.last;
                now.open.push(Open::new(image, registry, repository));
                now.open.len() - 1
            };
            now.open[at].begun(part, reference);
            self.watch(&mut now);
            now.open[at].number
        };
        self.tell(over);
        Some(Place { image, part })
    }

    /// A request that had [`begun`](Self::begun) is over.
    pub fn ended(&self, place: Place, request: &Finished, extra: &Extra<'_>) {
        let mut now = self.lock();
        if let Some(open) = now.open.iter_mut().find(|open| open.number == place.image) {
            open.ended(place.part, request, extra);
        }
    }

    /// The last that were over, the newest first.
    pub fn last(&self) -> Vec<Summary> {
        self.lock().over.iter().rev().cloned().collect()
    }

    /// Tells of everything that is not over yet: the process is about to end.
    pub fn flush(&self) {
        let open = std::mem::take(&mut self.lock().open);
        self.tell(open.into_iter().filter_map(|open| open.over(self.clock)).collect());
    }

    /// Has a task end the images that are quiet, as long as there are any.
    fn watch(self: &Arc<Self>, now: &mut Now) {
        let Ok(runtime) = Handle::try_current() else { return };
        if std::mem::replace(&mut now.watched, true) {
            return;
        }
        let images = self.clone();
        runtime.spawn(async move {
            while let Some(due) = images.due() {
                sleep_until(due).await;
                images.end_quiet();
            }
        });
    }

    /// When to look again; `None` when there is nothing left to wait for.
    fn due(&self) -> Option<Instant> {
        let mut now = self.lock();
        now.watched = !now.open.is_empty();
        let later = now.watched.then(|| Instant::now() + QUIET)?;
        Some(now.open.iter().filter_map(Open::quiet_since).map(|since| since + QUIET).min().unwrap_or(later).min(later))
    }

    fn end_quiet(&self) {
        let moment = Instant::now();
        let is_quiet = |open: &mut Open| open.quiet_since().is_some_and(|since| since + QUIET <= moment);
        let over: Vec<Open> = self.lock().open.extract_if(.., is_quiet).collect();
        self.tell(over.into_iter().filter_map(|open| open.over(self.clock)).collect());
    }

    fn tell(&self, over: Vec<Summary>) {
        for summary in over {
            summary.log();
            let mut now = self.lock();
            if now.over.len() >= MOST_REMEMBERED {
                now.over.pop_front();
            }
            now.over.push_back(summary);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    /// The image that has been quiet for longest; `None` when all of them are busy.
    fn longest_quiet(&self) -> Option<usize> {
        let quiet = self.open.iter().enumerate().filter_map(|(at, open)| Some((open.quiet_since()?, at)));
        quiet.min().map(|(_, at)| at)
    }
}

/// How long after its last request an image is over.
pub const QUIET: Duration = Duration::from_secs(5);
const MOST_OPEN: usize = 256;
const MOST_REMEMBERED: usize = 50;

#[cfg(test)]
mod tests;

//! A pull or a push that is over.

use std::time::Duration;

use tracing::info;

use crate::observe::blame::{Blame, Step};
use crate::observe::recent::Failure;
use crate::observe::record::milliseconds;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Pull,
    Push,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// Its first failure that was not made good later.
    Failed(Failure),
    /// The client left, or never sent what makes an image of it.
    Unfinished,
}

impl Outcome {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(_) => "failed",
            Self::Unfinished => "unfinished",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Summary {
    /// Counts up within the process. Some numbers belong to what was only looked at.
    pub number: u64,
    /// `docker.io/library/python:3.10`, `ghcr.io/acme/app@sha256:…`.
    pub image: String,
    /// Of its top manifest, as the registry told.
    pub digest: Option<Box<str>>,
    pub direction: Direction,
    /// Manifests and blobs that crossed, each counted once.
    pub manifests: usize,
    pub blobs: usize,
    /// Of bodies, in the image's direction.
    pub bytes: u64,
    pub requests: u32,
    pub token_fetches: u32,
    /// For the authorization of all its requests together.
    pub auth: Duration,
    /// From its first request to the end of its last.
    pub time: Duration,
    /// The end of its last request, since 1970.
    pub at: Duration,
    /// Further tags at the same time.
    pub other_tags: usize,
    pub outcome: Outcome,
}

impl Summary {
    pub(super) fn log(&self) {
        let failure = if let Outcome::Failed(failure) = &self.outcome { Some(failure) } else { None };
        info!(
            image = self.image.as_str(),
            digest = self.digest.as_deref(),
            direction = self.direction.as_str(),
            outcome = self.outcome.as_str(),
            manifests = self.manifests,
            blobs = self.blobs,
            bytes = self.bytes,
            requests = self.requests,
            token_fetches = self.token_fetches,
            auth_ms = milliseconds(self.auth),
            ms = milliseconds(self.time),
            other_tags = (self.other_tags > 0).then_some(self.other_tags),
            blame = failure.map(|failure| Blame::as_str(failure.blame)),
            step = failure.map(|failure| Step::as_str(failure.step)),
            error = failure.map(|failure| &*failure.message),
            "image"
        );
    }
}

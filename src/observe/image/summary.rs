//! A pull or push that ended.

use std::time::Duration;

use tracing::info;

use crate::observe::blame::{Blame, Step};
use crate::observe::log::milliseconds;
use crate::observe::recent_requests::Failure;

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
    /// With the first failed request that no later one repeated successfully.
    Failed(Failure),
    /// The client disconnected, pushed no manifest, or requests were in flight when regpass stopped.
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

/// A pull or push as logged and shown on the status page.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Increases within the process. Numbers of images with existence checks only are not used.
    pub number: u64,
    /// `docker.io/library/python:3.10`, `ghcr.io/acme/app@sha256:…`.
    pub image: String,
    /// Digest of the top manifest, as the registry reported it.
    pub digest: Option<Box<str>>,
    pub direction: Direction,
    /// Different manifests and blobs transferred, at most 256 of each.
    pub manifests: usize,
    pub blobs: usize,
    /// Bytes of the response bodies of a pull, or of the request bodies of a push.
    pub bytes: u64,
    pub requests: u32,
    pub token_fetches: u32,
    /// Sum of the times that the image's requests waited for authorization.
    pub auth: Duration,
    /// From the start of its first request to the end of its last.
    pub time: Duration,
    /// When its last request ended, since 1970.
    pub at: Duration,
    /// Number of further tags that this pull or push used, beyond the one in `image`.
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

//! The last requests, and the last that failed: for people who ask what just happened.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::blame::{Blame, Step};

/// The last requests of the process. What regpass answered by itself, and well, is none of them.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Rings>);

#[derive(Debug, Default)]
struct Rings {
    requests: VecDeque<Finished>,
    failures: VecDeque<Finished>,
}

/// One request that is over.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Counts up from 1 within the process.
    pub number: u64,
    /// When it was over, since 1970.
    pub at: Duration,
    pub method: http::Method,
    pub registry: Option<Box<str>>,
    pub repository: Option<Box<str>>,
    pub reference: Option<Box<str>>,
    pub operation: &'static str,
    /// 0 when the client left before there was one.
    pub status: u16,
    /// How the authorization was had.
    pub grant: &'static str,
    /// Requests to the registry and to where it redirected.
    pub attempts: u32,
    /// Body bytes from the client.
    pub sent: u64,
    /// Body bytes to the client.
    pub bytes: u64,
    /// Whether the client got all of it.
    pub whole: bool,
    pub time: Time,
    pub failure: Option<Failure>,
}

/// Where the time of a request went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// For the authorization.
    pub auth: Duration,
    /// For the heads of the registry's answers.
    pub upstream: Duration,
    /// From the first byte of the request to the last of the answer.
    pub whole: Duration,
}

/// What went wrong, as the client was told. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub blame: Blame,
    pub step: Step,
    pub message: Box<str>,
}

impl Finished {
    /// Whether it says something about what is behind regpass, or went wrong.
    fn is_news(&self) -> bool {
        self.attempts > 0 || self.failure.is_some()
    }
}

impl Time {
    /// What is left: the way of the body, and what regpass did itself.
    pub fn transfer(&self) -> Duration {
        self.whole.saturating_sub(self.auth + self.upstream)
    }
}

impl Recent {
    pub fn add(&self, finished: Finished) {
        if !finished.is_news() {
            return;
        }
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if finished.failure.is_some() {
            push(&mut rings.failures, finished.clone(), MOST_FAILURES);
        }
        push(&mut rings.requests, finished, MOST_REQUESTS);
    }

    /// The newest first.
    pub fn requests(&self) -> Vec<Finished> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).requests.iter().rev().cloned().collect()
    }

    /// Those that failed, also after more recent ones drove them out of the requests. The newest first.
    pub fn failures(&self) -> Vec<Finished> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failures.iter().rev().cloned().collect()
    }
}

fn push(ring: &mut VecDeque<Finished>, finished: Finished, most: usize) {
    if ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(finished);
}

pub const MOST_REQUESTS: usize = 100;
pub const MOST_FAILURES: usize = 30;

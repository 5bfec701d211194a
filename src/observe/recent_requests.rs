//! The most recent requests and failures, for the status page.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::blame::{Blame, Step};

/// The last [`MAX_REQUESTS`] requests and the last [`MAX_FAILURES`] failed ones. Successful requests that regpass
/// answered without the registry are left out.
#[derive(Debug, Default)]
pub struct RecentRequests(Mutex<Rings>);

#[derive(Debug, Default)]
struct Rings {
    requests: VecDeque<FinishedRequest>,
    failures: VecDeque<FinishedRequest>,
}

/// A finished request.
#[derive(Clone, Debug)]
pub struct FinishedRequest {
    /// Consecutive number, from 1 within the process.
    pub number: u64,
    /// When it ended, since 1970.
    pub at: Duration,
    pub method: http::Method,
    pub registry: Option<Box<str>>,
    pub repository: Option<Box<str>>,
    pub reference: Option<Box<str>>,
    pub operation: &'static str,
    /// Status of the response; 0 when the client disconnected before there was one.
    pub status: u16,
    /// The kind of authorization, as in the log field `grant`.
    pub grant: &'static str,
    /// Requests to the registry and to redirect targets.
    pub attempts: u32,
    /// Bytes of the request body sent to the registry.
    pub sent: u64,
    /// Bytes of the response body sent to the client.
    pub bytes: u64,
    /// Whether the whole response, including its body, was passed to the client.
    pub is_complete: bool,
    pub time: RequestTimes,
    pub failure: Option<Failure>,
}

/// The parts of a request's duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTimes {
    /// Waiting for authorization.
    pub auth: Duration,
    /// Waiting for the response heads of the registry and redirect targets.
    pub upstream: Duration,
    /// From the end of the request's head to the last byte of the response, or until the client disconnected.
    pub total: Duration,
}

/// Why a request failed. The message is that of the client's error response; it contains no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub blame: Blame,
    pub step: Step,
    pub message: Box<str>,
}

impl FinishedRequest {
    /// Whether the request reached the registry or failed.
    fn is_relevant(&self) -> bool {
        self.attempts > 0 || self.failure.is_some()
    }
}

impl RequestTimes {
    /// The remaining time: transfer of the bodies and regpass's own work.
    pub fn transfer(&self) -> Duration {
        self.total.saturating_sub(self.auth + self.upstream)
    }
}

impl RecentRequests {
    pub fn add(&self, finished: FinishedRequest) {
        if !finished.is_relevant() {
            return;
        }
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if finished.failure.is_some() {
            push(&mut rings.failures, finished.clone(), MAX_FAILURES);
        }
        push(&mut rings.requests, finished, MAX_REQUESTS);
    }

    /// The most recent requests, newest first.
    pub fn requests(&self) -> Vec<FinishedRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).requests.iter().rev().cloned().collect()
    }

    /// The most recent failed requests, newest first, including those that are no longer among `requests`.
    pub fn failures(&self) -> Vec<FinishedRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failures.iter().rev().cloned().collect()
    }
}

fn push(ring: &mut VecDeque<FinishedRequest>, finished: FinishedRequest, capacity: usize) {
    if ring.len() >= capacity {
        ring.pop_front();
    }
    ring.push_back(finished);
}

pub const MAX_REQUESTS: usize = 100;
pub const MAX_FAILURES: usize = 30;

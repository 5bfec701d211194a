//! The record of one client request: filled along the path, told once, also when the client leaves half-way.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;
use tracing::info;

use super::blame::{Blame, Step};
use super::image::{Extra, Part, Place};
use super::metrics::Metrics;
use super::recent::{Failure, Finished, Time};
use super::seen::Seen;
use crate::oci::operation::Operation;

/// Dropping it writes the log line, counts the request and leaves it for people to look at.
#[derive(Debug)]
pub struct Record {
    metrics: Arc<Metrics>,
    seen: Arc<Seen>,
    begun: Instant,
    pub method: http::Method,
    /// Who asks, where the listener knows.
    pub client: Option<Box<str>>,
    /// The trace the client says it belongs to.
    pub trace_id: Option<Box<str>>,
    pub registry: Option<Box<str>>,
    /// The registry's label in metrics.
    pub label: Option<Box<str>>,
    pub operation: &'static str,
    pub repository: Option<Box<str>>,
    pub reference: Option<Box<str>>,
    /// Its place in the pull or push of an image.
    image: Option<Place>,
    /// Whether it only asks if a blob is there, as clients do before they send it: that it is not is no failure.
    pub is_probe: bool,
    /// `Docker-Content-Digest` of a manifest.
    pub digest: Option<Box<str>>,
    pub grant: &'static str,
    /// Tokens that were fetched for it.
    pub token_fetches: u32,
    /// How long the authorization took.
    pub auth: Duration,
    /// How long the heads of the registry's answers took.
    pub upstream: Duration,
    /// Requests sent to the registry and to redirect targets.
    pub attempts: u32,
    pub hops: u32,
    /// Resumptions of a broken body.
    pub resumed: u32,
    pub status: Option<StatusCode>,
    pub blame: Option<Blame>,
    pub step: Option<Step>,
    /// What went wrong, for the log.
    pub error: Option<Box<str>>,
    /// Body bytes of the client that were handed to the registry.
    pub sent: u64,
    /// Body bytes handed to the client.
    pub bytes: u64,
    /// Whether the response, body included, was handed over whole.
    pub finished: bool,
}

impl Record {
    pub fn begin(metrics: Arc<Metrics>, seen: Arc<Seen>, method: http::Method) -> Self {
        seen.begun();
        Self {
            metrics,
            seen,
            begun: Instant::now(),
            method,
            client: None,
            trace_id: None,
            registry: None,
            label: None,
            operation: "other",
            repository: None,
            reference: None,
            image: None,
            is_probe: false,
            digest: None,
            grant: "none",
            token_fetches: 0,
            auth: Duration::ZERO,
            upstream: Duration::ZERO,
            attempts: 0,
            hops: 0,
            resumed: 0,
            status: None,
            blame: None,
            step: None,
            error: None,
            sent: 0,
            bytes: 0,
            finished: false,
        }
    }

    /// The request is for this registry, which goes by `label` in metrics.
    pub fn is_for(&mut self, registry: &str, label: &str) {
        self.seen.health.begun(registry, label, self.seen.now());
        self.registry = Some(registry.into());
        self.label = Some(label.into());
    }

    /// The request is understood, whether or not it may be done.
    pub fn means(&mut self, operation: &Operation) {
        self.operation = operation.as_str();
        self.repository = operation.repository().map(|name| name.as_str().into());
        self.reference = operation.reference().map(Into::into);
    }

    /// What it [`means`](Self::means) is going to be done.
    pub fn does(&mut self, operation: &Operation) {
        self.is_probe = Part::of(operation, &self.method) == Some(Part::Probe);
        let registry = self.registry.as_deref().unwrap_or_default();
        self.image = self.seen.images.begun(registry, operation, &self.method);
    }

    /// What is left of it for people to look at.
    fn finished(&self) -> Finished {
        let whole = self.begun.elapsed();
        let failure = self.error.clone().zip(self.blame.zip(self.step));
        Finished {
            number: self.seen.number(),
            at: self.seen.now(),
            method: self.method.clone(),
            registry: self.registry.clone(),
            repository: self.repository.clone(),
            reference: self.reference.clone(),
            operation: self.operation,
            status: self.status.map_or(0, |status| status.as_u16()),
            grant: self.grant,
            attempts: self.attempts,
            sent: self.sent,
            bytes: self.bytes,
            whole: self.finished,
            time: Time { auth: self.auth, upstream: self.upstream, whole },
            failure: failure.map(|(message, (blame, step))| Failure { blame, step, message }),
        }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let finished = self.finished();
        let label = self.label.as_deref().unwrap_or("none");
        self.metrics.request(label, self.operation, finished.status, self.blame.map_or("", Blame::as_str));
        if self.label.is_some() {
            self.metrics.moved(label, self.operation, finished.time, finished.sent, finished.bytes);
        }
        info!(
            method = self.method.as_str(),
            client = self.client.as_deref(),
            registry = self.registry.as_deref().unwrap_or("none"),
            operation = self.operation,
            repository = self.repository.as_deref(),
            reference = self.reference.as_deref(),
            status = finished.status,
            grant = self.grant,
            attempts = self.attempts,
            hops = (self.hops > 0).then_some(self.hops),
            resumed = (self.resumed > 0).then_some(self.resumed),
            sent = (self.sent > 0).then_some(self.sent),
            bytes = self.bytes,
            auth_ms = milliseconds(self.auth),
            ms = milliseconds(finished.time.whole),
            blame = self.blame.map(Blame::as_str),
            step = self.step.map(Step::as_str),
            error = self.error.as_deref(),
            unfinished = (!self.finished).then_some(true),
            trace_id = self.trace_id.as_deref(),
            "request"
        );
        if let Some(place) = self.image {
            let extra = Extra { digest: self.digest.as_deref(), token_fetches: self.token_fetches };
            self.seen.images.ended(place, &finished, &extra);
        }
        self.seen.ended(finished);
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

//! The record of one client request: filled along the path, told once, also when the client leaves half-way.

use std::sync::Arc;

use http::StatusCode;
use tokio::time::Instant;
use tracing::info;

use super::blame::{Blame, Step};
use super::metrics::Metrics;

/// Dropping it writes the log line and counts the request.
#[derive(Debug)]
pub struct Record {
    metrics: Arc<Metrics>,
    begun: Instant,
    pub method: http::Method,
    /// Who asks, where the listener knows.
    pub client: Option<Box<str>>,
    pub registry: Option<Box<str>>,
    /// The registry's label in metrics.
    pub label: Option<Box<str>>,
    pub operation: &'static str,
    pub repository: Option<Box<str>>,
    pub reference: Option<Box<str>>,
    pub grant: &'static str,
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
    pub fn begin(metrics: Arc<Metrics>, method: http::Method) -> Self {
        Self {
            metrics,
            begun: Instant::now(),
            method,
            client: None,
            registry: None,
            label: None,
            operation: "other",
            repository: None,
            reference: None,
            grant: "none",
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

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let registry = self.registry.as_deref().unwrap_or("none");
        let status = self.status.map_or(0, |status| status.as_u16());
        let blame = self.blame.map_or("", Blame::as_str);
        self.metrics.request(self.label.as_deref().unwrap_or("none"), self.operation, status, blame);
        info!(
            method = self.method.as_str(),
            client = self.client.as_deref(),
            registry,
            operation = self.operation,
            repository = self.repository.as_deref(),
            reference = self.reference.as_deref(),
            status,
            grant = self.grant,
            attempts = self.attempts,
            hops = (self.hops > 0).then_some(self.hops),
            resumed = (self.resumed > 0).then_some(self.resumed),
            sent = (self.sent > 0).then_some(self.sent),
            bytes = self.bytes,
            ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            blame = self.blame.map(Blame::as_str),
            step = self.step.map(Step::as_str),
            error = self.error.as_deref(),
            unfinished = (!self.finished).then_some(true),
            "request"
        );
    }
}

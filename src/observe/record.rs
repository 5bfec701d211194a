//! The record of one client request. The request path fills it; it is logged once at the end, also when the client
//! disconnects early.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;
use tracing::info;

use super::activity::Activity;
use super::blame::{Blame, Step};
use super::image::{ImageDetails, ImageRequest, RequestRole};
use super::log::milliseconds;
use super::metrics::Metrics;
use super::recent_requests::{Failure, FinishedRequest, RequestTimes};
use crate::oci::operation::Operation;

/// Everything known about one client request. Dropping the record writes the log line and updates metrics and status.
#[derive(Debug)]
pub struct Record {
    metrics: Arc<Metrics>,
    activity: Arc<Activity>,
    started: Instant,
    pub method: http::Method,
    /// The authenticated client, if the listener identifies clients.
    pub client: Option<Box<str>>,
    /// The trace id of the client's `traceparent` header.
    pub trace_id: Option<Box<str>>,
    /// The value of `ns`, if it selected the registry.
    pub namespace: Option<Box<str>>,
    pub registry: Option<Box<str>>,
    /// The registry's label in metrics.
    pub label: Option<Box<str>>,
    pub operation: &'static str,
    pub repository: Option<Box<str>>,
    pub reference: Option<Box<str>>,
    /// The pull or push of an image that the request belongs to.
    image: Option<ImageRequest>,
    /// Whether the request is a HEAD of a blob, as clients send before they push it. A 404 is then not a failure.
    pub is_probe: bool,
    /// `Docker-Content-Digest` of a manifest response.
    pub digest: Option<Box<str>>,
    /// The kind of authorization that was sent to the registry, as in the log field `grant`.
    pub grant: &'static str,
    /// Tokens fetched for this request.
    pub token_fetches: u32,
    /// Time spent waiting for authorization.
    pub auth: Duration,
    /// Time spent waiting for response heads of the registry and redirect targets.
    pub upstream: Duration,
    /// Requests sent to the registry and to redirect targets.
    pub attempts: u32,
    /// Redirects followed.
    pub hops: u32,
    /// How often a broken response body was resumed.
    pub resumed: u32,
    pub status: Option<StatusCode>,
    pub blame: Option<Blame>,
    pub step: Option<Step>,
    /// The error message, if the request failed.
    pub error: Option<Box<str>>,
    /// Bytes of the request body sent to the registry.
    pub sent: u64,
    /// Bytes of the response body sent to the client.
    pub bytes: u64,
    /// Whether the whole response, including its body, was passed to the client.
    pub is_complete: bool,
}

impl Record {
    pub fn begin(metrics: Arc<Metrics>, activity: Arc<Activity>, method: http::Method) -> Self {
        activity.request_started();
        Self {
            metrics,
            activity,
            started: Instant::now(),
            method,
            client: None,
            trace_id: None,
            namespace: None,
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
            is_complete: false,
        }
    }

    /// Sets the registry that the request is for. `label` is its label in metrics.
    pub fn set_registry(&mut self, registry: &str, label: &str) {
        self.activity.health.request_started(registry, label, self.activity.now());
        self.registry = Some(registry.into());
        self.label = Some(label.into());
    }

    /// Sets the operation, before it is known whether it is allowed.
    pub fn set_operation(&mut self, operation: &Operation) {
        self.operation = operation.as_str();
        self.repository = operation.repository().map(|name| name.as_str().into());
        self.reference = operation.reference().map(Into::into);
    }

    /// Notes that the operation is allowed and starts. From now on the request counts as part of an image, if it has a
    /// role in one.
    pub fn operation_allowed(&mut self, operation: &Operation) {
        self.is_probe = RequestRole::of(operation, &self.method) == Some(RequestRole::CheckBlob);
        let registry = self.registry.as_deref().unwrap_or_default();
        self.image = self.activity.images.request_started(registry, operation, &self.method);
    }

    /// The request as the status page shows it.
    fn finished(&self) -> FinishedRequest {
        let total = self.started.elapsed();
        let failure = self.error.clone().zip(self.blame.zip(self.step));
        FinishedRequest {
            number: self.activity.next_number(),
            at: self.activity.now(),
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
            is_complete: self.is_complete,
            time: RequestTimes { auth: self.auth, upstream: self.upstream, total },
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
            self.metrics.record_transfer(label, self.operation, finished.time, finished.sent, finished.bytes);
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
            ms = milliseconds(finished.time.total),
            blame = self.blame.map(Blame::as_str),
            step = self.step.map(Step::as_str),
            error = self.error.as_deref(),
            unfinished = (!self.is_complete).then_some(true),
            trace_id = self.trace_id.as_deref(),
            "request"
        );
        if let Some(image) = self.image {
            let details = ImageDetails { digest: self.digest.as_deref(), token_fetches: self.token_fetches };
            self.activity.images.request_ended(image, &finished, &details);
        }
        self.activity.request_ended(finished);
    }
}

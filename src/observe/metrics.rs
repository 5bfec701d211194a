//! Metrics that are updated when an event happens; `admin/gauges.rs` has those that are computed for each scrape.
//! Labels have a bounded number of values: registries as configured and words of enums, never repositories.
//! `docs/metrics.md` describes all metrics.

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::recent_requests::RequestTimes;

/// All metrics that are updated when an event happens.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<OperationLabels, Histogram>,
    auth_durations: Family<RegistryLabels, Histogram>,
    received: Family<RegistryLabels, Counter>,
    sent: Family<RegistryLabels, Counter>,
    upstream_requests: Family<UpstreamLabels, Counter>,
    token_fetches: Family<OutcomeLabels, Counter>,
    tokens_used: Family<OutcomeLabels, Counter>,
    credentials_rejected: Family<RegistryLabels, Counter>,
    reloads: Family<ReloadLabels, Counter>,
    configuration_good: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    registry: String,
    operation: &'static str,
    status: u16,
    blame: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    registry: String,
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct UpstreamLabels {
    registry: String,
    step: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    registry: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RegistryLabels {
    registry: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

impl Metrics {
    /// Counts a finished client request. `status` is 0 if there was no response, `blame` empty for a success.
    pub fn request(&self, registry: &str, operation: &'static str, status: u16, blame: &'static str) {
        self.requests.get_or_create(&RequestLabels { registry: registry.to_owned(), operation, status, blame }).inc();
    }

    /// Records the times and body bytes of a finished request: `sent` to the registry, `received` by the client.
    pub fn record_transfer(
        &self,
        registry: &str,
        operation: &'static str,
        times: RequestTimes,
        sent: u64,
        received: u64,
    ) {
        let label = RegistryLabels { registry: registry.to_owned() };
        observe(&self.durations, &OperationLabels { registry: registry.to_owned(), operation }, times.total);
        observe(&self.auth_durations, &label, times.auth);
        self.sent.get_or_create(&label).inc_by(sent);
        self.received.get_or_create(&label).inc_by(received);
    }

    /// Counts a request to a registry or redirect target. `status` is 0 when there was no response.
    pub fn upstream_request(&self, registry: &str, step: &'static str, status: u16) {
        self.upstream_requests.get_or_create(&UpstreamLabels { registry: registry.to_owned(), step, status }).inc();
    }

    /// Counts a request to a token service; `outcome` is `granted`, `refused` (a denial) or `failed`.
    pub fn token_fetched(&self, registry: &str, outcome: &'static str) {
        self.token_fetches.get_or_create(&OutcomeLabels { registry: registry.to_owned(), outcome }).inc();
    }

    /// Counts the use of a token; `outcome` is `cached`, or `fetched` when the request waited for it.
    pub fn token_used(&self, registry: &str, outcome: &'static str) {
        self.tokens_used.get_or_create(&OutcomeLabels { registry: registry.to_owned(), outcome }).inc();
    }

    /// Counts a configured credential that the registry rejects; the caller reports each credential once.
    pub fn credential_rejected(&self, registry: &str) {
        self.credentials_rejected.get_or_create(&RegistryLabels { registry: registry.to_owned() }).inc();
    }

    /// Counts an attempt to activate another configuration; `outcome` is `replaced` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// Sets whether the active configuration is the one in the files, and all files that it names are usable.
    pub fn set_configuration_good(&self, good: bool) {
        self.configuration_good.set(good.into());
    }

    /// Appends all metrics in the `OpenMetrics` format, without the end marker.
    pub fn encode(&self, text: &mut String) {
        // Writing into a String cannot fail.
        let _ = encode_registry(text, &self.registry);
    }
}

fn observe<L>(family: &Family<L, Histogram>, labels: &L, time: Duration)
where
    L: Clone + Hash + Eq,
{
    family.get_or_create(labels).observe(time.as_secs_f64());
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("regpass");
        let requests = register(&mut registry, "requests", "Finished client requests");
        let durations = register_seconds(
            &mut registry,
            "request_duration",
            "Time from the end of a request's head to the last byte of its response",
            || Histogram::new(REQUEST_BUCKETS),
        );
        let auth_durations = register_seconds(
            &mut registry,
            "auth_duration",
            "Time requests waited for authorization; near zero with a cached token",
            || Histogram::new(AUTH_BUCKETS),
        );
        let received = register_bytes(&mut registry, "received", "Bytes of response bodies sent to clients");
        let sent = register_bytes(&mut registry, "sent", "Bytes of client request bodies sent to registries");
        let upstream_requests =
            register(&mut registry, "upstream_requests", "Requests sent to registries and redirect targets");
        let token_fetches = register(&mut registry, "token_fetches", "Requests to token services by outcome");
        let tokens_used = register(
            &mut registry,
            "tokens_used",
            "Tokens used by requests: cached (token cache hit) or fetched (miss, the request waited)",
        );
        let credentials_rejected =
            register(&mut registry, "credential_rejected", "Configured credentials that a registry rejected");
        let reloads = register(&mut registry, "config_reloads", "Attempts to activate another configuration");
        let configuration_good = register(
            &mut registry,
            "config_good",
            "1 while the configuration and all files it names are valid and active, otherwise 0",
        );
        Self {
            registry,
            requests,
            durations,
            auth_durations,
            received,
            sent,
            upstream_requests,
            token_fetches,
            tokens_used,
            credentials_rejected,
            reloads,
            configuration_good,
        }
    }
}

/// Creates a metric and registers it.
fn register<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn register_bytes<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register_with_unit(name, help, Unit::Bytes, metric.clone());
    metric
}

fn register_seconds<L>(registry: &mut Registry, name: &str, help: &str, new: fn() -> Histogram) -> Family<L, Histogram>
where
    L: Clone + Hash + Eq + EncodeLabelSet + fmt::Debug + Send + Sync + 'static,
{
    let family = Family::new_with_constructor(new);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

/// Seconds; from a manifest close by to a layer over a slow line.
const REQUEST_BUCKETS: [f64; 10] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0, 600.0];
/// Seconds; a cached token takes no time, a fetched one a round trip or two, a busy token service seconds.
const AUTH_BUCKETS: [f64; 8] = [0.001, 0.01, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0];

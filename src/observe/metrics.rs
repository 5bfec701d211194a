//! What is counted as it happens, declared once; `admin/gauges.rs` has what is looked up when somebody asks. Labels are
//! bounded: registries as configured, words of enums, never repositories. `docs/metrics.md` describes all of them.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::recent::Time;

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
    logins_rejected: Family<RegistryLabels, Counter>,
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
    /// One client request, finished. `blame` is empty for a success.
    pub fn request(&self, registry: &str, operation: &'static str, status: u16, blame: &'static str) {
        self.requests.get_or_create(&RequestLabels { registry: registry.to_owned(), operation, status, blame }).inc();
    }

    /// Where the time of a finished request went, and how many bytes of bodies crossed: `sent` from the client,
    /// `received` to it.
    pub fn moved(&self, registry: &str, operation: &'static str, time: Time, sent: u64, received: u64) {
        let label = RegistryLabels { registry: registry.to_owned() };
        observe(&self.durations, &OperationLabels { registry: registry.to_owned(), operation }, time.whole);
        observe(&self.auth_durations, &label, time.auth);
        self.sent.get_or_create(&label).inc_by(sent);
        self.received.get_or_create(&label).inc_by(received);
    }

    /// One request to a registry or to where it redirected; `status` 0 when no answer came.
    pub fn upstream_request(&self, registry: &str, step: &'static str, status: u16) {
        self.upstream_requests.get_or_create(&UpstreamLabels { registry: registry.to_owned(), step, status }).inc();
    }

    /// One call of a token service: `granted`, `refused` or `failed`.
    pub fn token_fetch(&self, registry: &str, outcome: &'static str) {
        self.token_fetches.get_or_create(&OutcomeLabels { registry: registry.to_owned(), outcome }).inc();
    }

    /// One token taken: `cached`, or `fetched` when the request waited for it.
    pub fn token_used(&self, registry: &str, outcome: &'static str) {
        self.tokens_used.get_or_create(&OutcomeLabels { registry: registry.to_owned(), outcome }).inc();
    }

    /// A stored login the registry refused, counted once each.
    pub fn login_rejected(&self, registry: &str) {
        self.logins_rejected.get_or_create(&RegistryLabels { registry: registry.to_owned() }).inc();
    }

    /// One attempt to put another configuration in force: `replaced` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// Whether what is written, in the configuration and in the files that it names, is what is in force.
    pub fn configuration_good(&self, good: bool) {
        self.configuration_good.set(good.into());
    }

    /// Adds all of it to a text of `OpenMetrics`, without the text's end.
    pub fn encode(&self, text: &mut String) {
        // Writing into a String cannot fail.
        let _ = encode_registry(text, &self.registry);
    }
}

fn observe<L>(family: &Family<L, Histogram>, labels: &L, time: Duration)
where
    L: Clone + std::hash::Hash + Eq,
{
    family.get_or_create(labels).observe(time.as_secs_f64());
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("regpass");
        let requests = Family::default();
        registry.register("requests", "Client requests finished", requests.clone());
        let durations: Family<_, Histogram> = Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS));
        registry.register_with_unit(
            "request_duration",
            "Time from the first byte of a request to the last of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        let auth_durations: Family<_, Histogram> = Family::new_with_constructor(|| Histogram::new(AUTH_BUCKETS));
        registry.register_with_unit(
            "auth_duration",
            "Time requests waited for their authorization; next to nothing for a token that is held",
            Unit::Seconds,
            auth_durations.clone(),
        );
        let (received, sent) = (Family::default(), Family::default());
        registry.register_with_unit("received", "Bodies handed to clients", Unit::Bytes, received.clone());
        registry.register_with_unit("sent", "Bodies of clients handed to registries", Unit::Bytes, sent.clone());
        let upstream_requests = Family::default();
        registry.register(
            "upstream_requests",
            "Requests sent to registries and redirect targets",
            upstream_requests.clone(),
        );
        let token_fetches = Family::default();
        registry.register("token_fetches", "Calls of token services by outcome", token_fetches.clone());
        let tokens_used = Family::default();
        registry.register(
            "tokens_used",
            "Tokens put on requests: cached (a hit of the token cache) or fetched (a miss, waited for)",
            tokens_used.clone(),
        );
        let logins_rejected = Family::default();
        registry.register("credential_rejected", "Stored logins that a registry refused", logins_rejected.clone());
        let reloads = Family::default();
        registry.register("config_reloads", "Attempts to put another configuration in force", reloads.clone());
        let configuration_good = Gauge::default();
        registry.register(
            "config_good",
            "1 while what is written in the configuration and its files is in force, 0 while something of it cannot be",
            configuration_good.clone(),
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
            logins_rejected,
            reloads,
            configuration_good,
        }
    }
}

/// From a manifest that is near to a layer over a slow line.
const REQUEST_BUCKETS: [f64; 10] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0, 600.0];
/// A held token costs nothing, a fetched one a round trip or two, a busy token service seconds.
const AUTH_BUCKETS: [f64; 8] = [0.001, 0.01, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0];

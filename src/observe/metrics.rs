//! Every metric, declared once. Labels are bounded: registries as configured, words of enums, never repositories.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
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

    /// One attempt to put another configuration in force: `replaced`, `unchanged` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// Whether what is written is what is in force.
    pub fn configuration_good(&self, good: bool) {
        self.configuration_good.set(good.into());
    }

    /// All of it in the text format of `OpenMetrics`.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("regpass");
        let requests = Family::default();
        registry.register("requests", "Client requests finished", requests.clone());
        let upstream_requests = Family::default();
        registry.register(
            "upstream_requests",
            "Requests sent to registries and redirect targets",
            upstream_requests.clone(),
        );
        let token_fetches = Family::default();
        registry.register("token_fetches", "Calls of token services by outcome", token_fetches.clone());
        let tokens_used = Family::default();
        registry.register("tokens_used", "Tokens taken from the cache or waited for", tokens_used.clone());
        let logins_rejected = Family::default();
        registry.register("credential_rejected", "Stored logins that a registry refused", logins_rejected.clone());
        let reloads = Family::default();
        registry.register("config_reloads", "Attempts to put another configuration in force", reloads.clone());
        let configuration_good = Gauge::default();
        registry.register(
            "config_good",
            "1 while the configuration that is written is the one in force, 0 while it cannot be",
            configuration_good.clone(),
        );
        Self {
            registry,
            requests,
            upstream_requests,
            token_fetches,
            tokens_used,
            logins_rejected,
            reloads,
            configuration_good,
        }
    }
}

/// What [`Metrics::render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

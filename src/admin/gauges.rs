//! `/metrics`: the counters and histograms that requests update, and gauges that are computed at each scrape.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use super::registry::is_current;
use crate::credential::registry_credentials::LastOutcome;
use crate::observe::process::Stage;
use crate::proxy::Proxy;
use crate::proxy::routes::ConfiguredRegistry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct RegistryLabel {
    registry: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct SourceLabels {
    registry: String,
    source: &'static str,
}

/// The labels of rate limits. `identity` is the source of a credential, or `anonymous`; never a user name.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct IdentityLabels {
    registry: String,
    identity: String,
}

/// All metrics at this moment, in the `OpenMetrics` text format, from memory only: sends no request.
pub fn metrics(proxy: &Proxy) -> String {
    let mut text = String::new();
    proxy.metrics.encode(&mut text);
    // Writing to a `String` cannot fail.
    let _ = encode(&mut text, &gauges(proxy));
    text
}

fn gauges(proxy: &Proxy) -> Registry {
    let mut root = Registry::default();
    let start: Gauge<f64, AtomicU64> = Gauge::default();
    start.set(proxy.process.started_at().as_secs_f64());
    root.register_with_unit(
        "process_start_time",
        "Start time of the process since the Unix epoch",
        Unit::Seconds,
        start,
    );
    let own = root.sub_registry_with_prefix("regpass");
    own.register("build", "Version of regpass", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    let ready: Gauge = Gauge::default();
    ready.set((proxy.process.stage() == Stage::Serving).into());
    own.register("ready", "1 while the process serves, 0 while it starts or drains", ready);
    let spooled: Gauge = Gauge::default();
    spooled.set(to_i64(proxy.uploads.spooled()));
    own.register_with_unit("upload_spool", "Upload bodies in temporary files", Unit::Bytes, spooled);
    let registries = proxy.routes.load().registries();
    requests(own, proxy, &registries);
    lifetimes(own, proxy, &registries);
    rate_limits(own, proxy);
    root
}

fn requests(own: &mut Registry, proxy: &Proxy, registries: &[ConfiguredRegistry]) {
    let mut open = BTreeMap::new();
    let mut in_flight = BTreeMap::new();
    for registry in registries {
        let now = Instant::now();
        let outages = registry.upstream.outages();
        let is_open = outages.iter().any(|outage| outage.open_until.is_some_and(|until| now < until));
        *open.entry(label(registry)).or_insert(0) |= i64::from(is_open);
        in_flight.entry(label(registry)).or_insert(0);
    }
    for activity in proxy.activity.health.registries() {
        *in_flight.entry(RegistryLabel { registry: activity.label.into() }).or_insert(0) += to_i64(activity.in_flight);
    }
    own.register(
        "circuit_open",
        "1 while the circuit of a host of the registry is open: it did not answer and gets no requests",
        family(open),
    );
    own.register("requests_in_flight", "Client requests in flight", family(in_flight));
}

fn lifetimes(own: &mut Registry, proxy: &Proxy, registries: &[ConfiguredRegistry]) {
    let mut counts = BTreeMap::new();
    let mut tokens = BTreeMap::new();
    let mut credentials = BTreeMap::new();
    let now = Instant::now();
    let all = proxy.authorizer.token_snapshots();
    for registry in registries {
        let own: Vec<_> = all.iter().filter(|token| token.upstream == registry.upstream.id).collect();
        *counts.entry(label(registry)).or_insert(0) += to_i64(own.len() as u64);
        for token in own {
            keep_shortest(&mut tokens, label(registry), token.expires_in);
        }
        for (_, credential) in registry.policy.credentials.all() {
            let Some(LastOutcome::Credential { expires: Some(end), .. }) = credential.last_outcome() else { continue };
            let labels = SourceLabels { registry: label(registry).registry, source: credential.source() };
            keep_shortest(&mut credentials, labels, end.saturating_duration_since(now));
        }
    }
    own.register("tokens_held", "Usable tokens in the cache", family(counts));
    own.register_with_unit(
        "token_expiry",
        "Time until the first token in the cache expires",
        Unit::Seconds,
        duration_family(tokens),
    );
    let help = "Time until the credential expires, if its source reports an expiry; 0 once it has expired";
    own.register_with_unit("credential_expiry", help, Unit::Seconds, duration_family(credentials));
}

fn rate_limits(own: &mut Registry, proxy: &Proxy) {
    let mut limits = BTreeMap::new();
    let mut remaining = BTreeMap::new();
    let now = proxy.activity.now();
    for activity in proxy.activity.health.registries() {
        for rate_limit in activity.rate_limits.iter().filter(|limit| is_current(limit, now)) {
            let labels =
                IdentityLabels { registry: activity.label.to_string(), identity: rate_limit.identity.to_string() };
            for (all, value) in [(&mut limits, rate_limit.limit), (&mut remaining, rate_limit.remaining)] {
                let Some(value) = value.map(to_i64) else { continue };
                let least = all.entry(labels.clone()).or_insert(value);
                *least = value.min(*least);
            }
        }
    }
    own.register("rate_limit", "Requests the registry allows per window", family(limits));
    own.register("rate_limit_remaining", "Requests left in the current window", family(remaining));
}

fn label(registry: &ConfiguredRegistry) -> RegistryLabel {
    RegistryLabel { registry: registry.upstream.label.to_string() }
}

fn keep_shortest<L: Ord>(all: &mut BTreeMap<L, Duration>, labels: L, time: Duration) {
    let shortest = all.entry(labels).or_insert(time);
    *shortest = time.min(*shortest);
}

fn family<L: Clone + Debug + Hash + Eq>(values: BTreeMap<L, i64>) -> Family<L, Gauge> {
    let family: Family<L, Gauge> = Family::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    family
}

fn duration_family<L: Clone + Debug + Hash + Eq>(values: BTreeMap<L, Duration>) -> Family<L, Gauge<f64, AtomicU64>> {
    let family: Family<L, Gauge<f64, AtomicU64>> = Family::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value.as_secs_f64());
    }
    family
}

/// Converts to `i64`, the type of a gauge. A larger value, which no metric here reaches, becomes `i64::MAX`.
fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

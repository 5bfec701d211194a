//! `/metrics`: what was counted, and behind it what is looked up when somebody asks.

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
use crate::credential::chain::Said;
use crate::observe::process::Stage;
use crate::proxy::Proxy;
use crate::proxy::route::Configured;

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct RegistryLabel {
    registry: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct SourceLabels {
    registry: String,
    source: &'static str,
}

/// `identity` is where a login was found, or `anonymous`: never who logged in.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct IdentityLabels {
    registry: String,
    identity: String,
}

/// Everything there is to measure at this moment, in the text format of `OpenMetrics`. Asks nobody anything.
pub fn metrics(proxy: &Proxy) -> String {
    let mut text = String::new();
    proxy.metrics.encode(&mut text);
    // Writing into a String cannot fail.
    let _ = encode(&mut text, &gauges(proxy));
    text
}

fn gauges(proxy: &Proxy) -> Registry {
    let mut root = Registry::default();
    let since: Gauge<f64, AtomicU64> = Gauge::default();
    since.set(proxy.process.since().as_secs_f64());
    root.register_with_unit("process_start_time", "When the process began, since 1970", Unit::Seconds, since);
    let own = root.sub_registry_with_prefix("regpass");
    own.register("build", "What is running", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    let ready: Gauge = Gauge::default();
    ready.set((proxy.process.stage() == Stage::Serving).into());
    own.register("ready", "1 while the process serves, 0 while it starts or drains", ready);
    let spooled: Gauge = Gauge::default();
    spooled.set(whole(proxy.uploads.spooled()));
    own.register_with_unit("upload_spool", "Bodies of uploads in temporary files", Unit::Bytes, spooled);
    let registries = proxy.routes.load().registries();
    requests(own, proxy, &registries);
    lifetimes(own, proxy, &registries);
    rate_limits(own, proxy);
    root
}

fn requests(own: &mut Registry, proxy: &Proxy, registries: &[Configured]) {
    let mut open = BTreeMap::new();
    let mut in_flight = BTreeMap::new();
    for registry in registries {
        let now = Instant::now();
        let outages = registry.upstream.outages();
        let is_open = outages.iter().any(|outage| outage.open_until.is_some_and(|until| now < until));
        *open.entry(label(registry)).or_insert(0) |= i64::from(is_open);
        in_flight.entry(label(registry)).or_insert(0);
    }
    for activity in proxy.seen.health.all() {
        *in_flight.entry(RegistryLabel { registry: activity.label.into() }).or_insert(0) += whole(activity.in_flight);
    }
    own.register("circuit_open", "1 while a host of the registry is not asked because it is down", family(open));
    own.register("requests_in_flight", "Client requests that are not over yet", family(in_flight));
}

fn lifetimes(own: &mut Registry, proxy: &Proxy, registries: &[Configured]) {
    let mut counts = BTreeMap::new();
    let mut tokens = BTreeMap::new();
    let mut logins = BTreeMap::new();
    let now = Instant::now();
    let all = proxy.authorizer.held();
    for registry in registries {
        let of_it: Vec<_> = all.iter().filter(|token| token.upstream == registry.upstream.id).collect();
        *counts.entry(label(registry)).or_insert(0) += whole(of_it.len() as u64);
        for token in of_it {
            soonest(&mut tokens, label(registry), token.expires_in);
        }
        for (_, login) in registry.terms.credentials.all() {
            let Some(Said::Found { expires: Some(end), .. }) = login.said() else { continue };
            let labels = SourceLabels { registry: label(registry).registry, source: login.source() };
            soonest(&mut logins, labels, end.saturating_duration_since(now));
        }
    }
    own.register("tokens_held", "Tokens that can be used now", family(counts));
    own.register_with_unit("token_expiry", "Until the first of the tokens held ends", Unit::Seconds, lengths(tokens));
    let help = "Until the login ends, where whoever lent it told; 0 when it is over";
    own.register_with_unit("credential_expiry", help, Unit::Seconds, lengths(logins));
}

fn rate_limits(own: &mut Registry, proxy: &Proxy) {
    let mut limits = BTreeMap::new();
    let mut remaining = BTreeMap::new();
    let now = proxy.seen.now();
    for activity in proxy.seen.health.all() {
        for told in activity.rate_limits.iter().filter(|told| is_current(told, now)) {
            let labels = IdentityLabels { registry: activity.label.to_string(), identity: told.identity.to_string() };
            for (all, value) in [(&mut limits, told.limit), (&mut remaining, told.remaining)] {
                let Some(value) = value.map(whole) else { continue };
                let least = all.entry(labels.clone()).or_insert(value);
                *least = value.min(*least);
            }
        }
    }
    own.register("rate_limit", "Requests the registry allows in its window", family(limits));
    own.register("rate_limit_remaining", "Requests that are left of it", family(remaining));
}

fn label(registry: &Configured) -> RegistryLabel {
    RegistryLabel { registry: registry.upstream.label.to_string() }
}

fn soonest<L: Ord>(all: &mut BTreeMap<L, Duration>, labels: L, end: Duration) {
    let least = all.entry(labels).or_insert(end);
    *least = end.min(*least);
}

fn family<L: Clone + Debug + Hash + Eq>(values: BTreeMap<L, i64>) -> Family<L, Gauge> {
    let family: Family<L, Gauge> = Family::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    family
}

fn lengths<L: Clone + Debug + Hash + Eq>(values: BTreeMap<L, Duration>) -> Family<L, Gauge<f64, AtomicU64>> {
    let family: Family<L, Gauge<f64, AtomicU64>> = Family::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value.as_secs_f64());
    }
    family
}

/// No counter here comes near the end of an `i64`.
fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

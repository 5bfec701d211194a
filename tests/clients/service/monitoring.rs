//! The shipped alerts and dashboard use only metrics and labels that regpass exports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};

use regpass::observe::blame::Blame;

use super::testbed::{MANIFEST, Testbed};
use crate::package::{alerts, dashboard};
use crate::process::{output, program};

/// Labels that Prometheus adds.
const PROMETHEUS_LABELS: [&str; 2] = ["instance", "job"];

const BLAMES: [Blame; 7] = [
    Blame::Client,
    Blame::Configuration,
    Blame::Credential,
    Blame::Proxy,
    Blame::Registry,
    Blame::Storage,
    Blame::TokenService,
];

/// The labels of each metric that regpass exports after a pull, a reload and a rejected credential.
async fn exported() -> BTreeMap<String, BTreeSet<String>> {
    let testbed = Testbed::start().await;
    let config = testbed.config("one", "");
    let running = testbed.start_regpass(&config).await;
    assert_eq!(running.status(MANIFEST).await, "200");
    testbed.reload(&running, &config.replace("password = \"", "password = \"no longer ")).await;
    running.status("/v2/one/team/other/manifests/1").await;

    let mut exported: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in running.admin_page("/metrics").await.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find([' ', '{']).expect("a sample"));
        exported.entry(name.to_owned()).or_default().extend(labels(rest));
    }
    exported
}

#[tokio::test]
async fn alerts_and_dashboard_use_only_exported_metrics_and_labels() {
    let mut exported = exported().await;
    // Rate limits and expiring credentials need a registry that has them, so their metrics are taken from docs/metrics.md,
    // which another test compares with the binary.
    for (name, labels) in dashboard::metrics() {
        exported.entry(name).or_default().extend(labels);
    }
    let alerts = alerts::alerts().await.into_iter().map(|(_, expression)| expression);
    let mut used = BTreeSet::new();
    for expression in alerts.chain(dashboard::expressions()) {
        let mut available: BTreeSet<&str> = PROMETHEUS_LABELS.into();
        for (at, _) in expression.match_indices("regpass_") {
            let rest = &expression[at..];
            let name =
                &rest[..rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len())];
            let has = exported.get(name).unwrap_or_else(|| panic!("{name} is not exported: {:?}", exported.keys()));
            available.extend(has.iter().map(String::as_str));
            if let Some(selector) = rest[name.len()..].strip_prefix('{') {
                for label in labels(selector) {
                    assert!(
                        has.contains(&label) || PROMETHEUS_LABELS.contains(&&*label),
                        "{name} has no label {label}: {expression}"
                    );
                }
            }
            used.insert(name.to_owned());
        }
        for (_, list) in expression.match_indices(" by (").map(|(at, by)| (at, &expression[at + by.len()..])) {
            for label in list.split(')').next().unwrap_or_default().split(", ") {
                assert!(available.contains(label), "no metric has the label {label}: {expression}");
            }
        }
    }
    assert!(used.len() > 5, "{used:?}");
}

#[tokio::test]
async fn alerts_and_dashboard_select_only_existing_values_of_blame() {
    let values = BLAMES.map(Blame::as_str);
    let alerts = alerts::alerts().await.into_iter().map(|(_, expression)| expression);
    let mut selected = 0;
    for expression in alerts.chain(dashboard::expressions()) {
        for rest in expression.split("blame").skip(1) {
            let matcher = rest.trim_start_matches(['=', '!', '~']);
            let Some(matcher) = matcher.strip_prefix('"').filter(|_| matcher != rest) else { continue };
            for value in matcher.split('"').next().unwrap_or_default().split('|').filter(|value| !value.is_empty()) {
                assert!(values.contains(&value), "no such blame {value}: {expression}");
                selected += 1;
            }
        }
    }
    assert!(selected > 3, "only {selected} values of blame");
}

#[tokio::test]
async fn promtool_accepts_the_metrics_page() {
    let testbed = Testbed::start().await;
    let running = testbed.start_regpass(&testbed.config("one", "")).await;
    assert_eq!(running.status(MANIFEST).await, "200");
    let page = running.admin_page("/metrics").await;
    assert!(page.contains("\n# TYPE regpass_requests_total counter\n"), "{page}");
    let file = testbed.home.path().join("metrics");
    fs::write(&file, page).expect("the metrics file");
    let mut check = program("promtool", testbed.home.path());
    output(check.args(["check", "metrics"]).stdin(File::open(&file).expect("the metrics file"))).await;
}

/// The names of the labels in braces.
fn labels(text: &str) -> Vec<String> {
    let inside = text.trim_start_matches('{').split('}').next().unwrap_or_default();
    let names = inside.split(',').filter_map(|label| label.split_once(['=', '!']));
    names.map(|(name, _)| name.to_owned()).collect()
}

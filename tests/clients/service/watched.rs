//! Who watches the process: alerts and dashboard ask for what it shows, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};

use regpass::observe::blame::Blame;

use super::house::House;
use crate::package::{alerts, dashboard};
use crate::process::{output, plain};

/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["instance", "job"];

const BLAMES: [Blame; 7] = [
    Blame::Client,
    Blame::Configuration,
    Blame::Credential,
    Blame::Proxy,
    Blame::Registry,
    Blame::Storage,
    Blame::TokenService,
];

/// The labels of each metric that the binary shows after a pull, a reload and a login that was rejected.
async fn shown() -> BTreeMap<String, BTreeSet<String>> {
    let house = House::build().await;
    let config = house.config("one", "");
    let running = house.start(&config).await;
    assert_eq!(running.status("/v2/one/team/app/manifests/1").await, "200");
    let mark = running.daemon.mark();
    house.write(&config.replace("password = \"", "password = \"no longer "));
    running.says(mark, "in force").await;
    running.status("/v2/one/team/other/manifests/1").await;

    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in running.admin_page("/metrics").await.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find([' ', '{']).expect("a sample"));
        shown.entry(name.to_owned()).or_default().extend(labels(rest));
    }
    shown
}

#[tokio::test]
async fn every_metric_and_label_of_alerts_and_dashboard_is_one_the_binary_shows() {
    let mut shown = shown().await;
    // Rate limits and logins for a time take a registry that has them; a test of its own keeps the page true.
    for (name, labels) in dashboard::metrics() {
        shown.entry(name).or_default().extend(labels);
    }
    let alerts = alerts::alerts().await.into_iter().map(|(_, expression)| expression);
    let mut used = BTreeSet::new();
    for expression in alerts.chain(dashboard::expressions()) {
        let mut known: BTreeSet<&str> = ADDED.into();
        for (at, _) in expression.match_indices("regpass_") {
            let rest = &expression[at..];
            let name =
                &rest[..rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len())];
            let has = shown.get(name).unwrap_or_else(|| panic!("{name} is not shown: {:?}", shown.keys()));
            known.extend(has.iter().map(String::as_str));
            if let Some(selector) = rest[name.len()..].strip_prefix('{') {
                for label in labels(selector) {
                    assert!(has.contains(&label) || ADDED.contains(&&*label), "{name} has no {label}: {expression}");
                }
            }
            used.insert(name.to_owned());
        }
        for (_, list) in expression.match_indices(" by (").map(|(at, by)| (at, &expression[at + by.len()..])) {
            for label in list.split(')').next().unwrap_or_default().split(", ") {
                assert!(known.contains(label), "nothing has {label}: {expression}");
            }
        }
    }
    assert!(used.len() > 5, "{used:?}");
}

#[tokio::test]
async fn every_blame_that_is_asked_for_can_be_had() {
    let words = BLAMES.map(Blame::as_str);
    let alerts = alerts::alerts().await.into_iter().map(|(_, expression)| expression);
    let mut asked = 0;
    for expression in alerts.chain(dashboard::expressions()) {
        for rest in expression.split("blame").skip(1) {
            let matcher = rest.trim_start_matches(['=', '!', '~']);
            let Some(matcher) = matcher.strip_prefix('"').filter(|_| matcher != rest) else { continue };
            for word in matcher.split('"').next().unwrap_or_default().split('|').filter(|word| !word.is_empty()) {
                assert!(words.contains(&word), "nobody is to blame as {word}: {expression}");
                asked += 1;
            }
        }
    }
    assert!(asked > 3, "{asked}");
}

#[tokio::test]
async fn prometheus_has_nothing_to_say_against_what_it_gets() {
    let house = House::build().await;
    let running = house.start(&house.config("one", "")).await;
    assert_eq!(running.status("/v2/one/team/app/manifests/1").await, "200");
    let page = running.admin_page("/metrics").await;
    assert!(page.contains("\n# TYPE regpass_requests_total counter\n"), "{page}");
    let file = house.home.path().join("metrics");
    fs::write(&file, page).expect("the metrics");
    let mut check = plain("promtool", house.home.path());
    output(check.args(["check", "metrics"]).stdin(File::open(&file).expect("the metrics"))).await;
}

/// The names of the labels between the braces.
fn labels(text: &str) -> Vec<String> {
    let inside = text.trim_start_matches('{').split('}').next().unwrap_or_default();
    let names = inside.split(',').filter_map(|label| label.split_once(['=', '!']));
    names.map(|(name, _)| name.to_owned()).collect()
}

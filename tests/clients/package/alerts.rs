//! The alert rules, as Prometheus' own tool reads and tries them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{documents, shipped, text};
use crate::process::{output, plain};

pub(crate) const FILE: &str = "config/prometheus/alerts.yaml";

/// What fires for what.
const CASES: &str = include_str!("alerts.yaml");

#[tokio::test]
async fn prometheus_takes_them() {
    let home = tempfile::tempdir().expect("a directory");
    output(plain("promtool", home.path()).args(["check", "rules"]).arg(shipped(FILE))).await;
}

#[tokio::test]
async fn each_fires_for_what_it_is_there_for_and_for_nothing_else() {
    let home = tempfile::tempdir().expect("a directory");
    try_out(home.path(), &text(FILE)).await;
    let alerts: BTreeSet<String> = alerts().await.into_iter().map(|(name, _)| name).collect();
    let tried = CASES.lines().filter_map(|line| line.split("{alertname=\"").nth(1)?.split('"').next());
    assert_eq!(alerts, tried.map(str::to_owned).collect());
}

async fn try_out(home: &Path, rules: &str) {
    let file = home.join("rules.yaml");
    fs::write(&file, rules).expect("the rules");
    let cases = home.join("cases.yaml");
    fs::write(&cases, CASES.replacen("RULES", file.to_str().expect("text"), 1)).expect("the cases");
    output(plain("promtool", home).args(["test", "rules"]).arg(cases)).await;
}

/// The name and the expression of each.
pub(crate) async fn alerts() -> Vec<(String, String)> {
    let document = documents(&text(FILE)).await.remove(0);
    let groups = document["groups"].as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules"));
    let said = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    rules.map(|rule| (said(&rule["alert"]), said(&rule["expr"]))).collect()
}

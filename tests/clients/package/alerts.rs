//! The alert rules, checked and tested by promtool.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{documents, repository_file, text};
use crate::process::{output, program};

pub(crate) const FILE: &str = "config/prometheus/alerts.yaml";

/// Tests of the rules for `promtool test rules`.
const CASES: &str = include_str!("alert_cases.yaml");

#[tokio::test]
async fn promtool_accepts_the_rules() {
    let home = tempfile::tempdir().expect("a directory");
    output(program("promtool", home.path()).args(["check", "rules"]).arg(repository_file(FILE))).await;
}

#[tokio::test]
async fn every_alert_fires_for_its_cause_only() {
    let home = tempfile::tempdir().expect("a directory");
    run_cases(home.path(), &text(FILE)).await;
    let alerts: BTreeSet<String> = alerts().await.into_iter().map(|(name, _)| name).collect();
    let tested = CASES.lines().filter_map(|line| line.split("{alertname=\"").nth(1)?.split('"').next());
    assert_eq!(alerts, tested.map(str::to_owned).collect());
}

/// Runs the tests on these rules.
async fn run_cases(home: &Path, rules: &str) {
    let file = home.join("rules.yaml");
    fs::write(&file, rules).expect("the rules are written");
    let cases = home.join("cases.yaml");
    fs::write(&cases, CASES.replacen("RULES", file.to_str().expect("UTF-8"), 1)).expect("the tests are written");
    output(program("promtool", home).args(["test", "rules"]).arg(cases)).await;
}

/// The name and expression of every alert.
pub(crate) async fn alerts() -> Vec<(String, String)> {
    let document = documents(&text(FILE)).await.remove(0);
    let groups = document["groups"].as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules"));
    let string = |value: &serde_json::Value| value.as_str().expect("UTF-8").to_owned();
    rules.map(|rule| (string(&rule["alert"]), string(&rule["expr"]))).collect()
}

//! The Grafana dashboard, whose expressions promtool checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::text;
use crate::process::{output, program};

const FILE: &str = "config/grafana/dashboard.json";

/// Variables and the values that Grafana puts in their place.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "5m"), ("$instance", ".*"), ("$registry", ".*")];

#[tokio::test]
async fn promtool_accepts_every_expression() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("rules.yaml");
    let rules = expressions().into_iter().enumerate();
    let rules: Vec<Value> = rules.map(|(at, expr)| json!({ "record": format!("panel:{at}"), "expr": expr })).collect();
    assert!(rules.len() > 10);
    // JSON is valid YAML.
    fs::write(&file, json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string())
        .expect("the rules are written");
    output(program("promtool", home.path()).args(["check", "rules"]).arg(file)).await;
}

#[test]
fn panels_do_not_overlap_and_have_a_description() {
    let dashboard = dashboard();
    let (mut ids, mut occupied) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}");
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().expect("a position"));
        assert!(x + w <= 24, "{title}");
        let mut squares = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        assert!(squares.all(|square| occupied.insert(square)), "{title} overlaps another panel");
    }
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let names: Vec<_> = variables.iter().map(|variable| variable["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["datasource", "instance", "registry"]);
}

#[test]
fn every_metric_is_in_a_panel() {
    let expressions = expressions().join("\n");
    let words = expressions.split(|next: char| !next.is_ascii_alphanumeric() && next != '_');
    let displayed: BTreeSet<&str> = words.map(|word| word.trim_end_matches("_bucket")).collect();
    let missing: Vec<String> = metrics().into_keys().filter(|name| !displayed.contains(&**name)).collect();
    assert_eq!(missing, [""; 0]);
}

/// The metrics in docs/metrics.md with their labels.
pub(crate) fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let page = text("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows = rows.map(|(name, rest)| (name.to_owned(), rest.split('|').nth(1).unwrap_or_default().to_owned()));
    let labels = |cell: String| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let metrics: BTreeMap<_, _> = rows.map(|(name, cell)| (name, labels(cell))).collect();
    assert!(metrics.len() > 15, "{metrics:?}");
    metrics
}

/// The expressions of all panels and of the queries for variables, as Prometheus receives them.
pub(crate) fn expressions() -> Vec<String> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let mut found: Vec<String> = targets.map(|target| target["expr"].as_str().expect("a string").to_owned()).collect();
    for variable in &dashboard["templating"]["list"].as_array().expect("variables")[1..] {
        let query = variable["query"]["query"].as_str().expect("a query");
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).expect(query);
        let (metric, label) = inner.split_once(", ").expect("metric and label");
        found.push(format!("count by ({label}) ({metric})"));
    }
    for expression in &mut found {
        for (variable, value) in VARIABLES {
            *expression = expression.replace(variable, value);
        }
        assert!(!expression.contains('$'), "{expression}");
    }
    found
}

fn dashboard() -> Value {
    serde_json::from_str(&text(FILE)).expect("JSON")
}

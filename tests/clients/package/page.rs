//! docs/deploy.md, and what has to be said before anything else.

use std::collections::BTreeSet;

use super::{alerts, shipped, text};

const LENT: &str = "lends its login to every pod that reaches it";

#[test]
fn every_file_it_links_to_is_there_and_every_alert_is_explained() {
    let page = text("docs/deploy.md");
    let links = page.split("](../").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
    let links: BTreeSet<&str> = links.collect();
    assert!(links.len() > 6, "{links:?}");
    for link in links {
        assert!(shipped(link).exists(), "{link}");
    }
    let explained = page.lines().filter_map(|line| line.strip_prefix("| `Regpass")?.split('`').next());
    let explained: BTreeSet<String> = explained.map(|name| format!("Regpass{name}")).collect();
    let rules = text(alerts::FILE);
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    assert_eq!(explained, alerts.map(str::to_owned).collect());
}

#[test]
fn the_first_lines_say_whom_a_shared_node_proxy_lends_its_login() {
    for (page, heading, lines) in [
        ("README.md", "# regpass", 9),
        ("README.md", "## As a shared node proxy", 3),
        ("docs/deploy.md", "# Deploying", 7),
        ("config/kubernetes/daemonset.yaml", "", 1),
    ] {
        let text = text(page);
        let after = text.lines().skip_while(|line| !line.starts_with(heading)).take(lines);
        let first: String = after.map(|line| line.trim_start_matches(['>', '#']).to_owned()).collect();
        let first = first.replace("**", "");
        let said = first.contains(LENT) || first.contains("a shared node proxy, to every pod that reaches it");
        assert!(said, "{page} {heading}: {first}");
    }
}

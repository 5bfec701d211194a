//! docs/deploy.md, and the warning about shared proxies that must come first.

use std::collections::BTreeSet;

use super::{alerts, repository_file, text};

/// The warning that a shared proxy uses its credentials for all clients.
const WARNING: &str = "uses its credentials for every pod that reaches it";

#[test]
fn linked_files_exist_and_every_alert_is_explained() {
    let page = text("docs/deploy.md");
    let links = page.split("](../").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
    let links: BTreeSet<&str> = links.collect();
    assert!(links.len() > 6, "{links:?}");
    for link in links {
        assert!(repository_file(link).exists(), "{link}");
    }
    let explained = page.lines().filter_map(|line| line.strip_prefix("| `Regpass")?.split('`').next());
    let explained: BTreeSet<String> = explained.map(|name| format!("Regpass{name}")).collect();
    let rules = text(alerts::FILE);
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    assert_eq!(explained, alerts.map(str::to_owned).collect());
}

#[test]
fn first_lines_warn_that_a_shared_proxy_uses_its_credentials_for_all_clients() {
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
        assert!(first.contains(WARNING), "{page} {heading}: {first}");
    }
}

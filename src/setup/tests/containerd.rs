use super::*;

fn ghcr() -> MirrorSet {
    mirror_set("", &["ghcr.io"]).unwrap()
}

const HOST: &str = "# begin regpass setup\n[host.\"http://127.0.0.1:5050\"]\n  capabilities = [\"pull\", \"resolve\"]\n\
    # end regpass setup\n";

#[test]
fn a_new_file_has_the_registry_as_fallback_server() {
    let text = merged(Client::Containerd, &ghcr(), "");
    let expected = HOST.replace("setup\n[", "setup\nserver = \"https://ghcr.io\"\n\n[");
    assert_eq!(text, expected);
    let hub = merged(Client::Containerd, &mirror_set("", &["docker.io"]).unwrap(), "");
    assert!(hub.contains("server = \"https://registry-1.docker.io\"\n"), "{hub}");
}

#[test]
fn regpass_is_inserted_before_other_hosts_and_after_the_server() {
    let head = "# ours\nserver = \"https://ghcr.io\" # yes\n\n";
    let rest = "# the old one\n[host.\"https://m.example\"]\n  capabilities = [\"pull\"]\n";
    assert_eq!(merged(Client::Containerd, &ghcr(), &format!("{head}{rest}")), format!("{head}{HOST}{rest}"));
    assert_eq!(merged(Client::Containerd, &ghcr(), head), format!("{head}{HOST}"));
    let own = "[host.'http://127.0.0.1:5050']\ncapabilities = [\"pull\"]\n";
    assert_eq!(
        merged(Client::Containerd, &ghcr(), own),
        own,
        "an entry for the listener that regpass did not write stays"
    );
}

#[test]
fn a_changed_address_replaces_the_earlier_one() {
    let before = "server = \"https://ghcr.io\"\n";
    let first = merge(Client::Containerd, &ghcr(), before).unwrap();
    let moved = mirror_set("[[listener]]\naddress = '127.0.0.1:6060'", &["ghcr.io"]).unwrap();
    let second = merged(Client::Containerd, &moved, before);
    assert_eq!(merge(Client::Containerd, &moved, &first).unwrap(), second);
    assert!(!second.contains("5050"), "{second}");
}

fn capabilities(config: &str, registry: &str, version: Option<&str>) -> String {
    let client_version = version.map(|version| version.parse().unwrap());
    let mirror_set = MirrorSet { client_version, ..mirror_set(config, &[registry]).unwrap() };
    let text = merged(Client::Containerd, &mirror_set, "");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("capabilities = "));
    line.expect("capabilities").to_owned()
}

#[test]
fn push_is_set_where_a_push_reaches_the_right_registry() {
    let allowed = "allow = ['pull', 'push']";
    let pinned = "allow = ['pull', 'push']\n[[listener]]\naddress = '127.0.0.1:1'\nregistry = 'ghcr.io'";
    for (config, registry, version, pushes) in [
        (allowed, "docker.io", None, true),
        // It would be pushed to the default registry.
        (allowed, "ghcr.io", None, false),
        (allowed, "ghcr.io", Some("2.2"), false),
        (allowed, "ghcr.io", Some("2.3"), true),
        ("", "docker.io", Some("2.3"), false),
        ("", "ghcr.io", Some("2.3"), false),
        (pinned, "ghcr.io", None, true),
    ] {
        let capabilities = capabilities(config, registry, version);
        assert_eq!(capabilities.contains("push"), pushes, "{registry} {version:?}: {capabilities}");
    }
}

#[test]
fn referrers_is_set_for_versions_that_know_it() {
    for (version, expected) in [
        (None, r#"["pull", "resolve"]"#),
        (Some("1.7"), r#"["pull", "resolve"]"#),
        (Some("2.1"), r#"["pull", "resolve"]"#),
        (Some("2.2"), r#"["pull", "resolve", "referrers"]"#),
        (Some("2.3"), r#"["pull", "resolve", "referrers"]"#),
        (Some("3"), r#"["pull", "resolve", "referrers"]"#),
    ] {
        assert_eq!(capabilities("", "ghcr.io", version), expected, "{version:?}");
    }
}

#[test]
fn files_in_an_unsupported_layout_are_rejected() {
    assert_rejected(Client::Containerd, &ghcr(), "server = \"a\"\n[host\n", Some(2));
    assert_rejected(Client::Containerd, &ghcr(), "host = { \"http://m.example\" = {} }\n", None);
    assert_rejected(Client::Containerd, &ghcr(), "# begin regpass setup\n", Some(1));
}

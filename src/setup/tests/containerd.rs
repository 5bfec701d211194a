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
    let first = Client::Containerd.merge(&ghcr(), before).unwrap();
    let moved = mirror_set("[[listener]]\naddress = '127.0.0.1:6060'", &["ghcr.io"]).unwrap();
    let second = merged(Client::Containerd, &moved, before);
    assert_eq!(Client::Containerd.merge(&moved, &first).unwrap(), second);
    assert!(!second.contains("5050"), "{second}");
}

#[test]
fn push_is_set_only_for_the_registry_that_the_listener_serves_by_default() {
    let pushes = |config: &str, registry| {
        let mirror_set = mirror_set(config, &[registry]).unwrap();
        merged(Client::Containerd, &mirror_set, "").contains("[\"pull\", \"resolve\", \"push\"]")
    };
    assert!(pushes("allow = ['pull', 'push']", "docker.io"), "the default registry");
    assert!(!pushes("allow = ['pull', 'push']", "ghcr.io"), "it would be pushed to the default registry");
    assert!(!pushes("", "docker.io"), "pushes are not allowed");
    let pinned = "allow = ['pull', 'push']\n[[listener]]\naddress = '127.0.0.1:1'\nregistry = 'ghcr.io'";
    assert!(pushes(pinned, "ghcr.io"), "its own listener");
}

#[test]
fn files_in_an_unsupported_layout_are_rejected() {
    assert_rejected(Client::Containerd, &ghcr(), "server = \"a\"\n[host\n", Some(2));
    assert_rejected(Client::Containerd, &ghcr(), "host = { \"http://m.example\" = {} }\n", None);
    assert_rejected(Client::Containerd, &ghcr(), "# begin regpass setup\n", Some(1));
}

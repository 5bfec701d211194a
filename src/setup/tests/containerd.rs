use super::*;

fn ghcr() -> View {
    view("", &["ghcr.io"]).unwrap()
}

const HOST: &str = "# begin regpass setup\n[host.\"http://127.0.0.1:5050\"]\n  capabilities = [\"pull\", \"resolve\"]\n\
    # end regpass setup\n";

#[test]
fn a_new_file_falls_back_to_the_registry() {
    let text = merged(Client::Containerd, &ghcr(), "");
    let expected = HOST.replace("setup\n[", "setup\nserver = \"https://ghcr.io\"\n\n[");
    assert_eq!(text, expected);
    let hub = merged(Client::Containerd, &view("", &["docker.io"]).unwrap(), "");
    assert!(hub.contains("server = \"https://registry-1.docker.io\"\n"), "{hub}");
}

#[test]
fn it_comes_before_other_hosts_and_behind_their_server() {
    let head = "# ours\nserver = \"https://ghcr.io\" # yes\n\n";
    let rest = "# the old one\n[host.\"https://m.example\"]\n  capabilities = [\"pull\"]\n";
    assert_eq!(merged(Client::Containerd, &ghcr(), &format!("{head}{rest}")), format!("{head}{HOST}{rest}"));
    assert_eq!(merged(Client::Containerd, &ghcr(), head), format!("{head}{HOST}"));
    let own = "[host.'http://127.0.0.1:5050']\ncapabilities = [\"pull\"]\n";
    assert_eq!(merged(Client::Containerd, &ghcr(), own), own, "an entry that somebody wrote for it is theirs");
}

#[test]
fn another_configuration_replaces_what_was_written() {
    let before = "server = \"https://ghcr.io\"\n";
    let first = Client::Containerd.merge(&ghcr(), before).unwrap();
    let moved = view("[[listener]]\naddress = '127.0.0.1:6060'", &["ghcr.io"]).unwrap();
    let second = merged(Client::Containerd, &moved, before);
    assert_eq!(Client::Containerd.merge(&moved, &first).unwrap(), second);
    assert!(!second.contains("5050"), "{second}");
}

#[test]
fn pushes_go_only_where_no_name_is_needed() {
    let pushes = |config: &str, registry| {
        let view = view(config, &[registry]).unwrap();
        merged(Client::Containerd, &view, "").contains("[\"pull\", \"resolve\", \"push\"]")
    };
    assert!(pushes("allow = ['pull', 'push']", "docker.io"), "the default registry");
    assert!(!pushes("allow = ['pull', 'push']", "ghcr.io"), "it would be pushed to the default registry");
    assert!(!pushes("", "docker.io"), "it is not allowed");
    let pinned = "allow = ['pull', 'push']\n[[listener]]\naddress = '127.0.0.1:1'\nregistry = 'ghcr.io'";
    assert!(pushes(pinned, "ghcr.io"), "its own listener");
}

#[test]
fn what_leaves_no_room_is_left_alone() {
    refused(Client::Containerd, &ghcr(), "server = \"a\"\n[host\n", Some(2));
    refused(Client::Containerd, &ghcr(), "host = { \"http://m.example\" = {} }\n", None);
    refused(Client::Containerd, &ghcr(), "# begin regpass setup\n", Some(1));
}

use super::*;

fn two() -> View {
    view("", &["docker.io", "ghcr.io"]).unwrap()
}

const TWO: &str = "\"docker.io\":\n  endpoint:\n    - \"http://127.0.0.1:5050\"\n\"ghcr.io\":\n  endpoint:\n    - \"http://127.0.0.1:5050\"\n";

fn block(indent: usize) -> String {
    let space = " ".repeat(indent);
    let lines = TWO.replace('\n', &format!("\n{space}"));
    format!("{space}# begin regpass setup\n{space}{lines}# end regpass setup\n")
}

#[test]
fn mirrors_are_added_to_those_that_are_there() {
    let whole = block(2).replace("  # begin regpass setup\n", "# begin regpass setup\nmirrors:\n");
    let whole = whole.replace("  # end", "# end");
    for before in ["", "# only this\n", "configs:\n  \"r.example\":\n    auth: {username: u}\n"] {
        assert_eq!(merged(Client::K3s, &two(), before), format!("{before}{whole}"));
    }
    for (before, after) in [
        (
            "mirrors: # all\n    # the first\n    quay.io:\n        endpoint: ['https://m.example']\nconfigs: {}\n",
            format!(
                "mirrors: # all\n{}    # the first\n    quay.io:\n        endpoint: ['https://m.example']\nconfigs: {{}}\n",
                block(4)
            ),
        ),
        (
            "mirrors:\n  ghcr.io:\n    endpoint:\n    # old\n    - https://m.example\n  docker.io:\n    endpoint: [\"https://m.example\"]\n",
            "mirrors:\n  ghcr.io:\n    endpoint:\n    # old\n    - \"http://127.0.0.1:5050\" # regpass setup\n    - https://m.example\n  docker.io:\n    endpoint: [\"http://127.0.0.1:5050\", \"https://m.example\"]\n"
                .to_owned(),
        ),
        (
            "mirrors:\n  docker.io:\n    rewrite:\n      \"^a\": \"b\"\n  ghcr.io:\n    endpoint:\n      - http://127.0.0.1:5050\n",
            "mirrors:\n  docker.io:\n    # begin regpass setup\n    endpoint:\n      - \"http://127.0.0.1:5050\"\n    # end regpass setup\n    rewrite:\n      \"^a\": \"b\"\n  ghcr.io:\n    endpoint:\n      - http://127.0.0.1:5050\n"
                .to_owned(),
        ),
    ] {
        assert_eq!(merged(Client::K3s, &two(), before), after);
    }
}

#[test]
fn rke2_has_the_same_file_elsewhere() {
    assert_eq!(merged(Client::Rke2, &two(), ""), merged(Client::K3s, &two(), ""));
    assert_ne!(Client::Rke2.place(), Client::K3s.place());
}

#[test]
fn what_leaves_no_room_is_left_alone() {
    for (text, line) in [
        ("mirrors: {docker.io: {endpoint: [a]}}\n", Some(1)),
        ("a: 1\nmirrors: x\n", Some(2)),
        ("mirrors:\n", Some(1)),
        ("x: &x {endpoint: [a]}\nmirrors:\n  docker.io:\n    <<: *x\n", Some(4)),
        ("x: &x {docker.io: {endpoint: [a]}}\nmirrors:\n  <<: *x\n", Some(3)),
        ("- a\n", None),
        ("{}\n", Some(1)),
        ("a: 1\n---\nb: 2\n", Some(3)),
        ("a: [\n", Some(2)),
        ("mirrors:\n  docker.io: &a\n    endpoint: x\n", Some(3)),
    ] {
        refused(Client::K3s, &two(), text, line);
    }
}

/// The keys that <https://docs.k3s.io/installation/private-registry> knows, of the types that it gives them.
#[test]
fn what_is_written_is_what_k3s_documents() {
    let text = merged(Client::K3s, &view("", &[]).unwrap(), "configs:\n  r.example:\n    auth: {username: u}\n");
    let root = tree::Node::parse(&text).unwrap().unwrap();
    for registry in ["docker.io", "ghcr.io", "registry.k8s.io", "quay.io"] {
        let endpoint = root.get("mirrors").unwrap().get(registry).unwrap().get("endpoint").unwrap();
        let urls: Vec<_> = endpoint.items().unwrap().iter().map(|item| item.text().unwrap()).collect();
        assert_eq!(urls, ["http://127.0.0.1:5050"], "{registry}");
    }
    assert_eq!(
        root.get("configs").unwrap().get("r.example").unwrap().get("auth").unwrap().get("username").unwrap().text(),
        Some("u")
    );
}

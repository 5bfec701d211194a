use super::*;

fn two() -> MirrorSet {
    mirror_set("", &["docker.io", "ghcr.io"]).unwrap()
}

const TWO: &str = "\"docker.io\":\n  endpoint:\n    - \"http://127.0.0.1:5050\"\n\"ghcr.io\":\n  endpoint:\n    - \"http://127.0.0.1:5050\"\n";

fn block(indent: usize) -> String {
    let space = " ".repeat(indent);
    let lines = TWO.replace('\n', &format!("\n{space}"));
    format!("{space}# begin regpass setup\n{space}{lines}# end regpass setup\n")
}

#[test]
fn mirrors_are_added_to_existing_ones() {
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
fn rke2_has_the_same_file_at_another_path() {
    assert_eq!(merged(Client::Rke2, &two(), ""), merged(Client::K3s, &two(), ""));
    assert_ne!(Client::Rke2.config_path(), Client::K3s.config_path());
}

#[test]
fn files_in_an_unsupported_layout_are_rejected() {
    for (line, texts) in [
        (Some(1), &["mirrors: {docker.io: {endpoint: [a]}}\n", "mirrors:\n", "{}\n"][..]),
        (Some(2), &["a: 1\nmirrors: x\n", "a: [\n"]),
        (
            Some(3),
            &[
                "x: &x {docker.io: {endpoint: [a]}}\nmirrors:\n  <<: *x\n",
                "a: 1\n---\nb: 2\n",
                "mirrors:\n  docker.io: &a\n    endpoint: x\n",
            ],
        ),
        (Some(4), &["x: &x {endpoint: [a]}\nmirrors:\n  docker.io:\n    <<: *x\n"]),
        (None, &["- a\n"]),
    ] {
        for text in texts {
            assert_rejected(Client::K3s, &two(), text, line);
        }
    }
}

/// The keys and types are those of <https://docs.k3s.io/installation/private-registry>.
#[test]
fn the_written_file_has_the_documented_keys() {
    let text = merged(Client::K3s, &mirror_set("", &[]).unwrap(), "configs:\n  r.example:\n    auth: {username: u}\n");
    let root = yaml_file::Node::parse(&text).unwrap().unwrap();
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

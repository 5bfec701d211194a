use super::*;

fn hub() -> MirrorSet {
    mirror_set("", &["docker.io"]).unwrap()
}

#[test]
fn the_mirror_is_inserted_first_and_the_rest_keeps_every_byte() {
    for (before, after) in [
        ("", "{\n  \"registry-mirrors\": [\"http://127.0.0.1:5050\"]\n}\n"),
        ("{}", "{\"registry-mirrors\": [\"http://127.0.0.1:5050\"]}"),
        (
            "{\n\t\"debug\" : true,\n\t\"dns\": [ \"1.1.1.1\" ]\n}",
            "{\n\t\"registry-mirrors\": [\"http://127.0.0.1:5050\"],\n\t\"debug\" : true,\n\t\"dns\": [ \"1.1.1.1\" ]\n}",
        ),
        (
            "{\"registry-mirrors\": [\n  \"https://m.example\"\n], \"log-level\": \"\\u0061\"}\n",
            "{\"registry-mirrors\": [\n  \"http://127.0.0.1:5050\",\n  \"https://m.example\"\n], \"log-level\": \"\\u0061\"}\n",
        ),
    ] {
        assert_eq!(merged(Client::Docker, &hub(), before), after);
    }
    let there = "{\"registry-mirrors\": [\"https://m.example\", \"http://127.0.0.1:5050/\"]}";
    assert_eq!(
        merge(Client::Docker, &hub(), there).unwrap(),
        there,
        "an entry with a trailing slash counts as present"
    );
}

#[test]
fn undo_removes_entries_that_the_configuration_no_longer_gives() {
    let text = merged(Client::Docker, &hub(), "{\"debug\": true}");
    let other = mirror_set("default_registry = 'ghcr.io'", &[]).unwrap();
    assert_eq!(undo(Client::Docker, &other, &text), "{\"debug\": true}");
}

#[test]
fn undo_keeps_entries_that_were_added_later() {
    let ours = merge(Client::Docker, &hub(), "").unwrap();
    let since = ours.replace("5050\"]", "5050\", \"https://m.example\"],\n  \"debug\": true");
    let left = undo(Client::Docker, &hub(), &since);
    assert_eq!(left, "{\n  \"registry-mirrors\": [\"https://m.example\"],\n  \"debug\": true\n}\n");
}

#[test]
fn a_listener_outside_of_loopback_is_added_to_insecure_registries() {
    let text = "[[listener]]\naddress = '192.0.2.1:5050'\ninsecure_open = true";
    let text = merged(Client::Docker, &mirror_set(text, &[]).unwrap(), "{}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "registry-mirrors": ["http://192.0.2.1:5050"], "insecure-registries": ["192.0.2.1:5050"] });
    assert_eq!(json, expected);
    assert!(!merged(Client::Docker, &hub(), "").contains("insecure"), "dockerd accepts plain HTTP on loopback");
}

#[test]
fn files_that_dockerd_would_reject_are_rejected() {
    for (text, line) in [
        ("{\n  \"debug\": true,\n}", 3),
        ("{\n  // a comment\n}", 2),
        ("[]", 1),
        ("{\n\"registry-mirrors\": \"https://m.example\"}", 2),
        ("{\"debug\": true,\n\"debug\": false}", 2),
    ] {
        assert_rejected(Client::Docker, &hub(), text, Some(line));
    }
}

fn of_version(mirror_set: MirrorSet, version: &str) -> MirrorSet {
    MirrorSet { client_version: Some(version.parse().unwrap()), ..mirror_set }
}

#[test]
fn a_listener_that_serves_another_registry_by_default_is_rejected_by_versions_without_hosts_files() {
    for config in ["default_registry = 'ghcr.io'", "[[listener]]\naddress = '127.0.0.1:5050'\nregistry = 'ghcr.io'"] {
        let set = mirror_set(config, &[]).unwrap();
        assert_rejected(Client::Docker, &of_version(set.clone(), "27.5"), "", None);
        assert_eq!(merged(Client::Docker, &of_version(set, "28"), ""), "", "hosts.toml is enough");
    }
    assert_rejected(Client::Docker, &of_version(mirror_set("", &["ghcr.io"]).unwrap(), "20.10"), "", None);
    let pinned = "[[listener]]\naddress = '127.0.0.1:5050'\nregistry = 'ghcr.io'\n\
        [[listener]]\naddress = '127.0.0.1:5052'\nregistry = 'docker.io'\n";
    assert!(merged(Client::Docker, &mirror_set(pinned, &[]).unwrap(), "").contains("http://127.0.0.1:5052"));
}

#[test]
fn every_registry_has_a_hosts_file_beside_daemon_json_from_28_on() {
    let set = mirror_set("allow = ['pull', 'push']", &["docker.io", "ghcr.io"]).unwrap();
    let files = |version| {
        let files = Client::Docker.files(Path::new("/etc/docker/daemon.json"), &of_version(set.clone(), version));
        let merged =
            files.iter().map(|file| (file.path.display().to_string(), Client::Docker.merge(file, "").unwrap()));
        merged.collect::<Vec<_>>()
    };
    assert_eq!(files("27.5").len(), 1);
    for (version, ghcr) in [
        ("28.0", r#"["pull", "resolve"]"#),
        ("29.0", r#"["pull", "resolve"]"#),
        ("29.1", r#"["pull", "resolve", "referrers"]"#),
        ("29.7", r#"["pull", "resolve", "push", "referrers"]"#),
    ] {
        let files = files(version);
        let paths: Vec<&str> = files.iter().map(|(path, _)| &**path).collect();
        let hosts = ["/etc/docker/certs.d/docker.io/hosts.toml", "/etc/docker/certs.d/ghcr.io/hosts.toml"];
        assert_eq!(paths, [&["/etc/docker/daemon.json"][..], &hosts].concat());
        assert!(files[0].1.contains("registry-mirrors"), "the classic image store reads it: {files:?}");
        let end = format!("[host.\"http://127.0.0.1:5050\"]\n  capabilities = {ghcr}\n# end regpass setup\n");
        assert!(files[2].1.ends_with(&end), "{version}: {}", files[2].1);
    }
}

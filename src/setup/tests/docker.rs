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
    assert_eq!(Client::Docker.merge(&hub(), there).unwrap(), there, "an entry with a trailing slash counts as present");
}

#[test]
fn undo_removes_entries_that_the_configuration_no_longer_gives() {
    let text = merged(Client::Docker, &hub(), "{\"debug\": true}");
    let other = mirror_set("default_registry = 'ghcr.io'", &[]).unwrap();
    assert_eq!(Client::Docker.undo(&other, &text).unwrap(), "{\"debug\": true}");
}

#[test]
fn undo_keeps_entries_that_were_added_later() {
    let ours = Client::Docker.merge(&hub(), "").unwrap();
    let since = ours.replace("5050\"]", "5050\", \"https://m.example\"],\n  \"debug\": true");
    let left = Client::Docker.undo(&hub(), &since).unwrap();
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

#[test]
fn a_listener_that_serves_another_registry_by_default_is_rejected() {
    for config in ["default_registry = 'ghcr.io'", "[[listener]]\naddress = '127.0.0.1:5050'\nregistry = 'ghcr.io'"] {
        assert_rejected(Client::Docker, &mirror_set(config, &[]).unwrap(), "", None);
    }
    assert_rejected(Client::Docker, &mirror_set("", &["ghcr.io"]).unwrap(), "", None);
    let pinned = "[[listener]]\naddress = '127.0.0.1:5050'\nregistry = 'ghcr.io'\n\
        [[listener]]\naddress = '127.0.0.1:5052'\nregistry = 'docker.io'\n";
    assert!(merged(Client::Docker, &mirror_set(pinned, &[]).unwrap(), "").contains("http://127.0.0.1:5052"));
}

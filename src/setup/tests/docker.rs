use super::*;

fn hub() -> View {
    view("", &["docker.io"]).unwrap()
}

#[test]
fn the_mirror_is_the_first_and_the_rest_keeps_its_bytes() {
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
    assert_eq!(Client::Docker.merge(&hub(), there).unwrap(), there, "whoever put it there has put it there");
}

#[test]
fn what_was_written_goes_although_it_would_not_be_written_now() {
    let text = merged(Client::Docker, &hub(), "{\"debug\": true}");
    let other = view("default_registry = 'ghcr.io'", &[]).unwrap();
    assert_eq!(Client::Docker.undo(&other, &text).unwrap(), "{\"debug\": true}");
}

#[test]
fn what_others_wrote_since_stays() {
    let ours = Client::Docker.merge(&hub(), "").unwrap();
    let since = ours.replace("5050\"]", "5050\", \"https://m.example\"],\n  \"debug\": true");
    let left = Client::Docker.undo(&hub(), &since).unwrap();
    assert_eq!(left, "{\n  \"registry-mirrors\": [\"https://m.example\"],\n  \"debug\": true\n}\n");
}

#[test]
fn a_listener_that_others_reach_is_listed_as_insecure() {
    let text = "[[listener]]\naddress = '192.0.2.1:5050'\ninsecure_open = true";
    let text = merged(Client::Docker, &view(text, &[]).unwrap(), "{}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "registry-mirrors": ["http://192.0.2.1:5050"], "insecure-registries": ["192.0.2.1:5050"] });
    assert_eq!(json, expected);
    assert!(!merged(Client::Docker, &hub(), "").contains("insecure"), "dockerd trusts loopback by itself");
}

#[test]
fn what_cannot_be_understood_is_left_alone() {
    for (text, line) in [
        ("{\n  \"debug\": true,\n}", 3),
        ("{\n  // a comment\n}", 2),
        ("[]", 1),
        ("{\n\"registry-mirrors\": \"https://m.example\"}", 2),
        ("{\"debug\": true,\n\"debug\": false}", 2),
    ] {
        refused(Client::Docker, &hub(), text, Some(line));
    }
}

#[test]
fn a_mirror_of_docker_hub_that_serves_another_registry_is_refused() {
    for config in ["default_registry = 'ghcr.io'", "[[listener]]\naddress = '127.0.0.1:5050'\nregistry = 'ghcr.io'"] {
        refused(Client::Docker, &view(config, &[]).unwrap(), "", None);
    }
    refused(Client::Docker, &view("", &["ghcr.io"]).unwrap(), "", None);
    let pinned = "[[listener]]\naddress = '127.0.0.1:5050'\nregistry = 'ghcr.io'\n\
        [[listener]]\naddress = '127.0.0.1:5052'\nregistry = 'docker.io'\n";
    assert!(merged(Client::Docker, &view(pinned, &[]).unwrap(), "").contains("http://127.0.0.1:5052"));
}

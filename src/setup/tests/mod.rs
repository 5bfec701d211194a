mod buildkit;
mod containerd;
mod docker;
mod k3s;
mod podman;

use super::*;
use crate::config::Variables;
use crate::config::load::load;
use crate::config::overrides::Overrides;

/// What clients have to know of a configuration file.
fn view(config: &str, asked: &[&str]) -> Result<View, Refusal> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, config.as_bytes()).unwrap();
    let overrides = Overrides { config: Some(file.path().into()), ..Overrides::default() };
    let config = load(&overrides, Variables::new(&|_| None)).unwrap();
    View::of(&config, &asked.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Merges and asserts what holds for every merge: twice is once, and it is taken back to what was there.
#[track_caller]
fn merged(client: Client, view: &View, text: &str) -> String {
    let once = client.merge(view, text).unwrap();
    assert_eq!(client.merge(view, &once).unwrap(), once, "twice is once");
    assert_eq!(client.undo(view, &once).unwrap(), text, "taken back from\n{once}");
    once
}

#[track_caller]
fn refused(client: Client, view: &View, text: &str, line: Option<usize>) {
    let refusal = client.merge(view, text).unwrap_err();
    assert_eq!(refusal.line, line, "{refusal:?}");
    assert!(!refusal.what.is_empty() && !refusal.hint.is_empty(), "{refusal:?}");
}

#[test]
fn a_view_names_what_clients_reach() {
    let config = "[[listener]]\naddress = '0.0.0.0:5050'\ninsecure_open = true\n[[listener]]\naddress = '127.0.0.1:0'\n\
        [registry.'*.azurecr.io']\n[registry.'corp.example']\nurl = 'http://10.0.0.1:80'\nalias = 'c'\n";
    let all = view(config, &[]).unwrap();
    assert_eq!(all.doors.len(), 1);
    assert_eq!(all.doors[0].url(), "http://127.0.0.1:5050");
    assert_eq!(all.left_out.len(), 2, "{:?}", all.left_out);
    let names: Vec<&str> = all.mirrors.iter().map(|mirror| mirror.registry.as_str()).collect();
    assert!(["corp.example", "docker.io", "ghcr.io"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(!names.contains(&"hub.docker.com"), "a name for another is none of its own");
    let asked = view(config, &["c", "team.azurecr.io", "hub.docker.com"]).unwrap();
    let asked: Vec<(&str, &str)> =
        asked.mirrors.iter().map(|mirror| (mirror.registry.as_str(), &*mirror.server)).collect();
    assert_eq!(
        asked,
        [
            ("corp.example", "http://10.0.0.1"),
            ("docker.io", "https://registry-1.docker.io"),
            ("team.azurecr.io", "https://team.azurecr.io")
        ]
    );
}

#[test]
fn what_regpass_does_not_serve_is_not_set_up() {
    for (config, asked, what) in [
        ("", "registry.example", "neither well-known nor configured"),
        ("", "a b", "is no registry"),
        ("[[listener]]\naddress = '127.0.0.1:1'\nregistry = 'ghcr.io'", "quay.io", "pinned to another registry"),
        ("[[listener]]\naddress = '127.0.0.1:0'", "ghcr.io", "no listener with a fixed address"),
    ] {
        let refusal = view(config, &[asked]).unwrap_err();
        assert!(refusal.what.contains(what), "{refusal:?}");
    }
    let pinned = view("[[listener]]\naddress = '127.0.0.1:1'\nregistry = 'ghcr.io'", &[]).unwrap();
    assert_eq!(pinned.mirrors.len(), 1);
    assert_eq!(pinned.mirrors[0].name.as_deref(), Some("127.0.0.1:1"));
    let six = view("[[listener]]\naddress = '[::1]:1'", &["ghcr.io"]).unwrap();
    assert_eq!(six.mirrors[0].name.as_deref(), Some("localhost:1/ghcr.io"));
}

/// Every registry at once, in files that have some of them in several forms.
#[test]
fn many_registries_find_their_places_in_one_file() {
    let every = view("", &[]).unwrap();
    let podman = "[[registry]]\nlocation = 'docker.io'\n[[registry]]\nlocation = 'ghcr.io'\n# m\n[[registry.mirror]]\nlocation = 'm'\n\
        [[registry]]\nprefix = 'quay.io'\nlocation = 'q'\n[aliases]\na = 'b'\n";
    let text = merged(Client::Podman, &every, podman);
    assert_eq!(text.matches("[[registry.mirror]]").count(), every.mirrors.len() + 1, "{text}");

    let buildkit = "[registry.\"docker.io\"]\n[registry.\"ghcr.io\"]\n  mirrors = []\n[registry.\"quay.io\"]\n  mirrors = [\n    'm',\n  ]\n";
    let text = merged(Client::Buildkit, &every, buildkit);
    assert_eq!(text.matches("\"127.0.0.1:5050\"").count(), every.mirrors.len() + 1, "{text}");

    let k3s = "mirrors:\n  # d\n  docker.io:\n    # r\n    rewrite: {}\n  ghcr.io:\n    endpoint:\n      - a\n  \
        quay.io:\n    endpoint: []\nconfigs:\n";
    let text = merged(Client::K3s, &every, k3s);
    assert_eq!(text.matches("\"http://127.0.0.1:5050\"").count(), every.mirrors.len(), "{text}");
}

mod buildkit;
mod containerd;
mod docker;
mod k3s;
mod podman;

use super::*;
use crate::config::Variables;
use crate::config::load::load;
use crate::config::overrides::Overrides;

/// The mirrors of the `requested` registries under a configuration.
fn mirror_set(config: &str, requested: &[&str]) -> Result<MirrorSet, SetupError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, config.as_bytes()).unwrap();
    let overrides = Overrides { config: Some(file.path().into()), ..Overrides::default() };
    let config = load(&overrides, Variables::new(&|_| None)).unwrap();
    MirrorSet::from_config(&config, &requested.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// The client's main file, or the `hosts.toml` of the only registry of containerd.
fn file(client: Client, mirrors: &MirrorSet) -> MirrorFile {
    MirrorFile { path: PathBuf::new(), mirrors: mirrors.clone(), is_hosts_file: client == Client::Containerd }
}

fn merge(client: Client, mirror_set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    client.merge(&file(client, mirror_set), text)
}

fn undo(client: Client, mirror_set: &MirrorSet, text: &str) -> String {
    client.undo(&file(client, mirror_set), text).unwrap()
}

/// Merges, and asserts for every merge that a second merge changes nothing and that undo restores the text.
#[track_caller]
fn merged(client: Client, mirror_set: &MirrorSet, text: &str) -> String {
    let once = merge(client, mirror_set, text).unwrap();
    assert_eq!(merge(client, mirror_set, &once).unwrap(), once, "a second merge changes nothing");
    assert_eq!(undo(client, mirror_set, &once), text, "undone from\n{once}");
    once
}

#[track_caller]
fn assert_rejected(client: Client, mirror_set: &MirrorSet, text: &str, line: Option<usize>) {
    let error = merge(client, mirror_set, text).unwrap_err();
    assert_eq!(error.line, line, "{text:?}: {error:?}");
    assert!(!error.what.is_empty() && !error.hint.is_empty(), "{text:?}: {error:?}");
}

#[test]
fn a_mirror_set_has_the_listeners_and_registries_that_clients_can_use() {
    let config = "[[listener]]\naddress = '0.0.0.0:5050'\ninsecure_open = true\n[[listener]]\naddress = '127.0.0.1:0'\n\
        [registry.'*.azurecr.io']\n[registry.'corp.example']\nurl = 'http://10.0.0.1:80'\nalias = 'c'\n";
    let all = mirror_set(config, &[]).unwrap();
    assert_eq!(all.listeners.len(), 1);
    assert_eq!(all.listeners[0].url(), "http://127.0.0.1:5050");
    assert_eq!(all.left_out.len(), 2, "{:?}", all.left_out);
    let names: Vec<&str> = all.mirrors.iter().map(|mirror| mirror.registry.as_str()).collect();
    assert!(["corp.example", "docker.io", "ghcr.io"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(!names.contains(&"hub.docker.com"), "another name of docker.io is no registry of its own");
    let asked = mirror_set(config, &["c", "team.azurecr.io", "hub.docker.com"]).unwrap();
    let asked: Vec<(&str, &str)> =
        asked.mirrors.iter().map(|mirror| (mirror.registry.as_str(), &*mirror.registry_url)).collect();
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
fn registries_that_regpass_does_not_serve_are_rejected() {
    let assert_not_served = |config: &str, registry: &str, why: &str| {
        let error = mirror_set(config, &[registry]).unwrap_err();
        assert!(error.what.contains(why), "{registry}: {error:?}");
    };
    assert_not_served("", "registry.example", "neither well-known nor configured");
    assert_not_served("", "a b", "is not a registry");
    assert_not_served("[[listener]]\naddress = '127.0.0.1:0'", "ghcr.io", "no listener with a fixed address");
    let for_ghcr_only = "[[listener]]\naddress = '127.0.0.1:1'\nregistry = 'ghcr.io'";
    assert_not_served(for_ghcr_only, "quay.io", "serves another registry only");
    let pinned = mirror_set(for_ghcr_only, &[]).unwrap();
    assert_eq!(pinned.mirrors.len(), 1);
    assert_eq!(pinned.mirrors[0].image_prefix.as_deref(), Some("127.0.0.1:1"));
    let ipv6 = mirror_set("[[listener]]\naddress = '[::1]:1'", &["ghcr.io"]).unwrap();
    assert_eq!(ipv6.mirrors[0].image_prefix.as_deref(), Some("localhost:1/ghcr.io"));
}

/// Merges every registry at once into files that have entries for some of them, in several layouts.
#[test]
fn every_registry_is_merged_into_a_file_with_entries_in_several_layouts() {
    let every = mirror_set("", &[]).unwrap();
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

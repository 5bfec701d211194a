use super::*;

fn ghcr() -> MirrorSet {
    mirror_set("[[listener]]\naddress = '127.0.0.1:5050'", &["ghcr.io"]).unwrap()
}

const LISTENERS: &str = "[[registry]]\nlocation = \"127.0.0.1:5050\"\ninsecure = true\n\n\
    [[registry]]\nlocation = \"localhost:5050\"\ninsecure = true\n";
const MIRROR: &str = "[[registry.mirror]]\nlocation = \"127.0.0.1:5050/ghcr.io\"\ninsecure = true\n";

#[test]
fn a_registry_without_entry_gets_one_with_the_mirror() {
    let entry = format!("[[registry]]\nprefix = \"ghcr.io\"\nlocation = \"ghcr.io\"\n\n{MIRROR}");
    let block = format!("# begin regpass setup\n{LISTENERS}\n{entry}# end regpass setup\n");
    for before in ["", "unqualified-search-registries = ['docker.io']\n"] {
        assert_eq!(merged(Client::Podman, &ghcr(), before), format!("{before}{block}"));
    }
}

#[test]
fn an_existing_entry_gets_the_mirror_first() {
    let own = "[[registry]] # mine\nprefix = 'ghcr.io'\nlocation = 'ghcr.example'\nblocked = false\n";
    let theirs = "# next\n[[registry.mirror]]\nlocation = 'm.example'\n\n[[registry]]\nlocation = 'quay.io'\n";
    let text = merged(Client::Podman, &ghcr(), &format!("{own}{theirs}"));
    let start = format!("{own}# begin regpass setup\n{MIRROR}# end regpass setup\n{theirs}");
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(text.matches("ghcr.io'").count(), 1, "no second entry: {text}");
    let last = merged(Client::Podman, &ghcr(), "[[registry]]\nlocation = 'ghcr.io'\n");
    assert!(last.starts_with("[[registry]]\nlocation = 'ghcr.io'\n# begin regpass setup\n[[registry.mirror]]\n"));
}

#[test]
fn a_host_with_a_port_needs_an_alias() {
    let config = "[[listener]]\naddress = '127.0.0.1:5050'\n[registry.'r.example:8443']\n";
    let without = mirror_set(config, &["r.example:8443"]).unwrap();
    assert!(!merged(Client::Podman, &without, "").contains("r.example"));
    assert!(Client::Podman.notes(&without).iter().any(|line| line.contains("r.example:8443")));
    let with = mirror_set(&format!("{config}alias = 'corp'"), &["corp"]).unwrap();
    assert!(merged(Client::Podman, &with, "").contains("\"127.0.0.1:5050/corp\""));
}

#[test]
fn files_in_an_unsupported_layout_are_rejected() {
    assert_rejected(Client::Podman, &ghcr(), "[registries.search]\nregistries = ['docker.io']\n", None);
    assert_rejected(Client::Podman, &ghcr(), "registry = [{ location = 'ghcr.io' }]\n", None);
    assert_rejected(Client::Podman, &ghcr(), "a = \n", Some(1));
}

#[test]
fn entries_of_other_files_are_not_replaced() {
    let other = "[[registry]]\nprefix = 'ghcr.io'\nblocked = true\n[[registry]]\nlocation = 'localhost:5050'\n";
    let mut mirror_set = ghcr();
    mirror_set.configured_elsewhere = Client::Podman.configured_registries(other).unwrap().into_iter().collect();
    let text = merged(Client::Podman, &mirror_set, "");
    assert!(!text.contains("ghcr.io") && !text.contains("localhost") && text.contains("127.0.0.1:5050"), "{text}");
    assert!(Client::Podman.notes(&mirror_set).iter().any(|line| line.contains("ghcr.io: another file")));
    assert!(Client::Podman.configured_registries("[[registry]").is_err());
    assert_eq!(Client::Buildkit.configured_registries(other).unwrap(), [""; 0], "other clients have one file");
}

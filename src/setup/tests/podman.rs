use super::*;

fn ghcr() -> View {
    view("[[listener]]\naddress = '127.0.0.1:5050'", &["ghcr.io"]).unwrap()
}

const DOORS: &str = "[[registry]]\nlocation = \"127.0.0.1:5050\"\ninsecure = true\n\n\
    [[registry]]\nlocation = \"localhost:5050\"\ninsecure = true\n";
const MIRROR: &str = "[[registry.mirror]]\nlocation = \"127.0.0.1:5050/ghcr.io\"\ninsecure = true\n";

#[test]
fn a_registry_gets_an_entry_with_a_mirror() {
    let entry = format!("[[registry]]\nprefix = \"ghcr.io\"\nlocation = \"ghcr.io\"\n\n{MIRROR}");
    let block = format!("# begin regpass setup\n{DOORS}\n{entry}# end regpass setup\n");
    for before in ["", "unqualified-search-registries = ['docker.io']\n"] {
        assert_eq!(merged(Client::Podman, &ghcr(), before), format!("{before}{block}"));
    }
}

#[test]
fn an_entry_that_is_there_gets_the_mirror_as_its_first() {
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
fn hosts_with_a_port_need_an_alias() {
    let config = "[[listener]]\naddress = '127.0.0.1:5050'\n[registry.'r.example:8443']\n";
    let without = view(config, &["r.example:8443"]).unwrap();
    assert!(!merged(Client::Podman, &without, "").contains("r.example"));
    assert!(Client::Podman.advice(&without).iter().any(|line| line.contains("r.example:8443")));
    let with = view(&format!("{config}alias = 'corp'"), &["corp"]).unwrap();
    assert!(merged(Client::Podman, &with, "").contains("\"127.0.0.1:5050/corp\""));
}

#[test]
fn what_leaves_no_room_is_left_alone() {
    refused(Client::Podman, &ghcr(), "[registries.search]\nregistries = ['docker.io']\n", None);
    refused(Client::Podman, &ghcr(), "registry = [{ location = 'ghcr.io' }]\n", None);
    refused(Client::Podman, &ghcr(), "a = \n", Some(1));
}

#[test]
fn entries_of_other_files_are_not_spoken_over() {
    let other = "[[registry]]\nprefix = 'ghcr.io'\nblocked = true\n[[registry]]\nlocation = 'localhost:5050'\n";
    let mut view = ghcr();
    view.taken = Client::Podman.taken(other).unwrap().into_iter().collect();
    let text = merged(Client::Podman, &view, "");
    assert!(!text.contains("ghcr.io") && !text.contains("localhost") && text.contains("127.0.0.1:5050"), "{text}");
    assert!(Client::Podman.advice(&view).iter().any(|line| line.contains("ghcr.io: another file")));
    assert!(Client::Podman.taken("[[registry]").is_err());
    assert_eq!(Client::Buildkit.taken(other).unwrap(), [""; 0], "others have one file");
}

use super::*;

fn ghcr() -> View {
    view("[[listener]]\naddress = '127.0.0.1:5050'", &["ghcr.io"]).unwrap()
}

const DOOR: &str = "[registry.\"127.0.0.1:5050\"]\n  http = true\n";

#[test]
fn registry_and_mirror_get_their_tables() {
    let registry = "[registry.\"ghcr.io\"]\n  mirrors = [\"127.0.0.1:5050\"]\n";
    let block = format!("# begin regpass setup\n{registry}\n{DOOR}# end regpass setup\n");
    for before in ["", "debug = true # yes\n[worker.oci]\n  gc = false\n"] {
        assert_eq!(merged(Client::Buildkit, &ghcr(), before), format!("{before}{block}"));
    }
}

#[test]
fn tables_that_are_there_are_added_to() {
    let door = format!("# begin regpass setup\n{DOOR}# end regpass setup\n");
    for (before, after) in [
        (
            "[registry.'ghcr.io']\n  mirrors = [ 'm.example' ] # fast\n",
            "[registry.'ghcr.io']\n  mirrors = [ \"127.0.0.1:5050\", 'm.example' ] # fast\n",
        ),
        (
            "[registry.'ghcr.io'] # it\n  ca = ['x.pem']\n",
            "[registry.'ghcr.io'] # it\n  mirrors = [\"127.0.0.1:5050\"] # regpass setup\n  ca = ['x.pem']\n",
        ),
        (
            "registry.'ghcr.io' = { mirrors = ['m.example'] }\n[grpc]\n",
            "registry.'ghcr.io' = { mirrors = [\"127.0.0.1:5050\", 'm.example'] }\n[grpc]\n",
        ),
    ] {
        assert_eq!(merged(Client::Buildkit, &ghcr(), before), format!("{after}{door}"));
    }
    refused(Client::Buildkit, &ghcr(), "registry.'ghcr.io' = { ca = ['x'] }\n", None);
}

#[test]
fn plain_http_is_said_of_the_door_and_not_of_the_registry() {
    let text = merged(Client::Buildkit, &view("", &[]).unwrap(), "");
    let table: toml::de::DeTable<'_> = toml::de::DeTable::parse(&text).unwrap().into_inner();
    let registries = table["registry"].get_ref().as_table().unwrap();
    for (name, registry) in registries {
        let registry = registry.get_ref().as_table().unwrap();
        let is_door = name.get_ref() == "127.0.0.1:5050";
        assert_eq!(registry.contains_key("http"), is_door, "{name:?}");
        assert_eq!(registry.contains_key("mirrors"), !is_door, "{name:?}");
    }
    assert!(registries.contains_key("docker.io") && registries.contains_key("quay.io"));
}

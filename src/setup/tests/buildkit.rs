use super::*;

fn ghcr() -> MirrorSet {
    mirror_set("[[listener]]\naddress = '127.0.0.1:5050'", &["ghcr.io"]).unwrap()
}

const LISTENER: &str = "[registry.\"127.0.0.1:5050\"]\n  http = true\n";

#[test]
fn registry_and_listener_get_tables_in_a_file_without_them() {
    let registry = "[registry.\"ghcr.io\"]\n  mirrors = [\"127.0.0.1:5050\"]\n";
    let block = format!("# begin regpass setup\n{registry}\n{LISTENER}# end regpass setup\n");
    for before in ["", "debug = true # yes\n[worker.oci]\n  gc = false\n"] {
        assert_eq!(merged(Client::Buildkit, &ghcr(), before), format!("{before}{block}"));
    }
}

#[test]
fn existing_tables_get_the_mirror() {
    let listener = format!("# begin regpass setup\n{LISTENER}# end regpass setup\n");
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
        assert_eq!(merged(Client::Buildkit, &ghcr(), before), format!("{after}{listener}"));
    }
    assert_rejected(Client::Buildkit, &ghcr(), "registry.'ghcr.io' = { ca = ['x'] }\n", None);
}

#[test]
fn plain_http_is_set_for_the_listener_and_not_for_the_registry() {
    let text = merged(Client::Buildkit, &mirror_set("", &[]).unwrap(), "");
    let table: toml::de::DeTable<'_> = toml::de::DeTable::parse(&text).unwrap().into_inner();
    let registries = table["registry"].get_ref().as_table().unwrap();
    for (name, registry) in registries {
        let registry = registry.get_ref().as_table().unwrap();
        let is_listener = name.get_ref() == "127.0.0.1:5050";
        assert_eq!(registry.contains_key("http"), is_listener, "{name:?}");
        assert_eq!(registry.contains_key("mirrors"), !is_listener, "{name:?}");
    }
    assert!(registries.contains_key("docker.io") && registries.contains_key("quay.io"));
}

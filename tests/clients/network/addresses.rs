//! Host names with unreachable addresses, and machines with and without IPv6.

use std::fs;

use serde_json::json;

use crate::curl::{curl, fetch};
use crate::image::Image;
use crate::process::{Daemon, output, program, stdout, unchecked_output};
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;
use crate::sandbox;

/// Shell script that sets up a network without other machines. Packets to its neighbours, whose hardware addresses are
/// known, are lost.
const SET_UP_NETWORK: &str = "
    set -e
    ip link add empty type bridge
    ip link set empty up
    ip addr add 10.9.9.1/24 dev empty
    ip addr add 2001:db8::1/64 dev empty nodad
    ip addr add fd99::1/64 dev empty nodad
    for silent in 10.9.9.9 2001:db8::9 fd99::9; do
        ip neigh add $silent lladdr 02:00:00:00:00:09 dev empty nud permanent
    done";

/// Host names with their addresses. The first address never answers, and the resolver must return it first.
const NAMES: [(&str, &[&str]); 4] = [
    ("six.test", &["2001:db8::9", "10.9.9.1"]),
    ("four.test", &["10.9.9.9", "fd99::1"]),
    ("fours.test", &["10.9.9.9", "10.9.9.1"]),
    ("many.test", &["10.9.9.9", "2001:db8::9", "10.9.9.1"]),
];

/// The content of `gai.conf` that makes the resolver return 10.9.9.9 first.
const ADDRESS_ORDER: &str = "precedence ::/0 40\nprecedence ::ffff:0:0/96 10\nprecedence ::ffff:10.9.9.9/128 100\n";

#[tokio::test]
async fn unreachable_first_address_fails_no_request() {
    if !sandbox::is_inside() {
        return sandbox::run_test("network::addresses::unreachable_first_address_fails_no_request").await;
    }
    let home = tempfile::tempdir().expect("a directory");
    output(program("sh", home.path()).args(["-c", SET_UP_NETWORK])).await;
    let lines = NAMES.iter().flat_map(|(name, all)| all.iter().map(move |address| format!("{address} {name}\n")));
    let hosts: String = std::iter::once("127.0.0.1 localhost\n".to_owned()).chain(lines).collect();
    for (file, text) in [("/etc/hosts", &*hosts), ("/etc/gai.conf", ADDRESS_ORDER), ("/etc/host.conf", "multi on\n")] {
        fs::write(file, text).expect("a resolver file is written");
    }
    let registry = Registry::start_htpasswd_with_http(&json!({ "addr": "[::]:0" })).await;
    let port = registry.address.port();
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    for (name, addresses) in NAMES {
        let resolved = stdout(program("getent", home.path()).args(["ahosts", name])).await;
        assert!(resolved.starts_with(addresses[0]), "the unreachable address is not first: {resolved}");
        assert!(addresses.iter().all(|address| resolved.contains(address)), "{resolved}");
        let regpass = Regpass::start(&config(&format!("{name}:{port}"))).await;
        let reply = fetch(curl(home.path()).arg(regpass.url("/v2/team/app/manifests/1"))).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert_eq!(reply.header("docker-content-digest"), Some(&*image.digest), "{name}");
    }
}

#[tokio::test]
async fn registry_and_listener_work_at_an_ipv6_address() {
    let home = tempfile::tempdir().expect("a directory");
    let registry = Registry::start_htpasswd_with_http(&json!({ "addr": "[::]:0" })).await;
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    let host = format!("[::1]:{}", registry.address.port());
    let regpass = Regpass::start(&config(&host).replace("127.0.0.1:0", "[::1]:0")).await;
    assert!(regpass.address.is_ipv6());
    for path in ["team/app/manifests/1", &format!("{host}/team/app/manifests/1")] {
        let url = format!("http://{}/v2/{path}", regpass.address);
        let reply = fetch(curl(home.path()).args(["--globoff", &url])).await;
        let digest = reply.header("docker-content-digest");
        assert_eq!((reply.status, digest), (200, Some(&*image.digest)), "{path}");
    }
}

#[tokio::test]
async fn well_known_registry_is_not_dialled_at_a_private_address() {
    if !sandbox::is_inside() {
        return sandbox::run_test("network::addresses::well_known_registry_is_not_dialled_at_a_private_address").await;
    }
    let home = tempfile::tempdir().expect("a directory");
    fs::write("/etc/hosts", "127.0.0.1 localhost ghcr.io\n").expect("the hosts file is written");
    for (settings, expected) in [("", "well-known"), ("url = \"https://ghcr.io\"", "refused")] {
        let table = format!("[[listener]]\naddress = \"127.0.0.1:0\"\n[registry.\"ghcr.io\"]\n{settings}\n");
        let regpass = Regpass::start(&table).await;
        let reply = fetch(curl(home.path()).arg(regpass.url("/v2/ghcr.io/team/app/manifests/1"))).await;
        assert_eq!(reply.status, 502, "{settings}");
        assert!(reply.text().contains(expected), "{settings}: {}", reply.text());
    }
}

/// Without a configuration file regpass listens on both loopback addresses, or only on 127.0.0.1 if there is no IPv6.
#[tokio::test]
async fn default_listeners_are_on_every_available_loopback_address() {
    if !sandbox::is_inside() {
        return sandbox::run_test("network::addresses::default_listeners_are_on_every_available_loopback_address")
            .await;
    }
    let home = tempfile::tempdir().expect("a directory");
    let ipv6_addresses = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    for has_ipv6 in [true, false] {
        assert!(!ipv6_addresses.is_empty(), "this test needs a machine with IPv6");
        if !has_ipv6 {
            fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").expect("IPv6 is disabled");
        }
        let command = program(env!("CARGO_BIN_EXE_regpass"), home.path());
        let regpass = Daemon::start_ready("regpass", command, "admin listening").await;
        let health = stdout(program(env!("CARGO_BIN_EXE_regpass"), home.path()).arg("health")).await;
        assert!(health.starts_with("ready: "), "{health}");
        for (address, is_served) in [("127.0.0.1:5050", true), ("[::1]:5050", has_ipv6)] {
            let mut curl = program("curl", home.path());
            curl.args(["-q", "--globoff", "--silent"]).arg(format!("http://{address}/v2/"));
            let output = unchecked_output(&mut curl).await;
            assert_eq!(output.stdout == b"{}", is_served, "{address} with IPv6: {has_ipv6}");
        }
        let log = regpass.stop().join("\n");
        assert!(!log.contains("ERROR") && !log.contains("WARN"), "a problem in the log with IPv6: {has_ipv6}: {log}");
        assert_eq!(log.contains("[::1]:5050"), has_ipv6, "{log}");
    }
}

fn config(host: &str) -> String {
    format!(
        r#"
        default_registry = "{host}"
        [[listener]]
        address = "127.0.0.1:0"
        [registry."{host}"]
        url = "http://{host}"
        credential = {{ source = "password", username = "{USER}", password = "{PASSWORD}" }}
        "#
    )
}

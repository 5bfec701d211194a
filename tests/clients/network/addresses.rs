//! Names with dead addresses, and machines with and without IPv6.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::curl::fetch;
use crate::image::Image;
use crate::machine;
use crate::process::{Daemon, output, plain, stdout};
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;

/// A network on which nobody is but this machine. What is sent to the neighbours, whose hardware is known, vanishes.
const HOLE: &str = "
    set -e
    ip link add hole type bridge
    ip link set hole up
    ip addr add 10.9.9.1/24 dev hole
    ip addr add 2001:db8::1/64 dev hole nodad
    ip addr add fd99::1/64 dev hole nodad
    for gone in 10.9.9.9 2001:db8::9 fd99::9; do
        ip neigh add $gone lladdr 02:00:00:00:00:09 dev hole nud permanent
    done";

/// Each name, its silent address first, which the resolver shall put first as well.
const NAMES: [(&str, &[&str]); 4] = [
    ("six.test", &["2001:db8::9", "10.9.9.1"]),
    ("four.test", &["10.9.9.9", "fd99::1"]),
    ("fours.test", &["10.9.9.9", "10.9.9.1"]),
    ("many.test", &["10.9.9.9", "2001:db8::9", "10.9.9.1"]),
];

/// Puts 10.9.9.9 before all others.
const ORDER: &str = "precedence ::/0 40\nprecedence ::ffff:0:0/96 10\nprecedence ::ffff:10.9.9.9/128 100\n";

#[tokio::test]
async fn a_silent_address_of_several_fails_no_request() {
    if !machine::is_here() {
        return machine::run("network::addresses::a_silent_address_of_several_fails_no_request").await;
    }
    let home = tempfile::tempdir().expect("a directory");
    output(plain("sh", home.path()).args(["-c", HOLE])).await;
    let lines = NAMES.iter().flat_map(|(name, all)| all.iter().map(move |address| format!("{address} {name}\n")));
    let hosts: String = std::iter::once("127.0.0.1 localhost\n".to_owned()).chain(lines).collect();
    for (file, text) in [("/etc/hosts", &*hosts), ("/etc/gai.conf", ORDER), ("/etc/host.conf", "multi on\n")] {
        fs::write(file, text).expect("a file of this machine");
    }
    let registry = Registry::start_htpasswd_at(&json!({ "addr": "[::]:0" })).await;
    let port = registry.address.port();
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    for (name, addresses) in NAMES {
        let found = stdout(plain("getent", home.path()).args(["ahosts", name])).await;
        assert!(found.starts_with(addresses[0]), "the silent one comes first: {found}");
        assert!(addresses.iter().all(|address| found.contains(address)), "{found}");
        let regpass = Regpass::start(&config(&format!("{name}:{port}"))).await;
        assert_eq!(manifest(&regpass, home.path(), "/v2/team/app/manifests/1").await, image.digest, "{name}");
    }
}

#[tokio::test]
async fn registries_and_listeners_may_be_at_an_ipv6_address() {
    let home = tempfile::tempdir().expect("a directory");
    let registry = Registry::start_htpasswd_at(&json!({ "addr": "[::]:0" })).await;
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    let host = format!("[::1]:{}", registry.address.port());
    let regpass = Regpass::start(&config(&host).replace("127.0.0.1:0", "[::1]:0")).await;
    assert!(regpass.address.is_ipv6());
    for path in ["team/app/manifests/1", &format!("{host}/team/app/manifests/1")] {
        let url = format!("http://{}/v2/{path}", regpass.address);
        let reply = fetch(plain("curl", home.path()).args(["-q", "--globoff", "--silent", "--include", &url])).await;
        let digest = reply.header("docker-content-digest");
        assert_eq!((reply.status, digest), (200, Some(&*image.digest)), "{path}");
    }
}

/// Without a file it listens on both loopbacks, or on the one there is.
#[tokio::test]
async fn both_loopbacks_are_listened_on_where_there_are_two() {
    if !machine::is_here() {
        return machine::run("network::addresses::both_loopbacks_are_listened_on_where_there_are_two").await;
    }
    let home = tempfile::tempdir().expect("a directory");
    let six = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    for has_six in [true, false] {
        assert!(!six.is_empty(), "this machine has no IPv6 to test with");
        if !has_six {
            fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").expect("to switch IPv6 off");
        }
        let regpass = Daemon::start("regpass", plain(env!("CARGO_BIN_EXE_regpass"), home.path()));
        regpass.line(|line| line.contains("admin listening").then_some(())).await;
        // As a person finds out.
        let health = stdout(plain(env!("CARGO_BIN_EXE_regpass"), home.path()).arg("health")).await;
        assert!(health.starts_with("ready: "), "{health}");
        for (address, answers) in [("127.0.0.1:5050", true), ("[::1]:5050", has_six)] {
            let mut curl = plain("curl", home.path());
            curl.args(["-q", "--globoff", "--silent"]).arg(format!("http://{address}/v2/"));
            let pong = crate::process::ended(&mut curl).await;
            assert_eq!(pong.stdout == b"{}", answers, "{address} {has_six}");
        }
        let log = regpass.stop().join("\n");
        assert!(!log.contains("ERROR") && !log.contains("WARN"), "a machine without IPv6 is no news: {log}");
        assert_eq!(log.contains("[::1]:5050"), has_six, "{log}");
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

/// The digest of what is there.
async fn manifest(regpass: &Regpass, home: &Path, path: &str) -> String {
    let mut curl = plain("curl", home);
    let reply = fetch(curl.args(["-q", "--silent", "--include"]).arg(regpass.url(path))).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.header("docker-content-digest").unwrap_or_default().to_owned()
}

//! A sandbox on this machine, with its own network, processes, `/etc`, `/run`, `/var/lib` and `/dev/shm`.
//!
//! In it every port is free, every file can be written, and only loopback is reachable. A test that needs the sandbox runs
//! itself a second time inside; when that process ends, the kernel removes the sandbox.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::process::program;

/// Environment variable that is set for the test inside the sandbox.
const INSIDE: &str = "REGPASS_TEST_INSIDE";

/// Longer than the tests take on a busy machine, shorter than nextest's limit.
const TIME_LIMIT: Duration = Duration::from_secs(160);

/// Shell script that sets up the sandbox. `/etc` is a copy without those settings of the machine's owner that the programs
/// here read: of `/etc/containers` only `policy.json` stays, which comes with the packages.
const SET_UP: &str = r#"
    set -eu
    etc=$1 && shift
    mount -t tmpfs tmpfs "$etc"
    cp -a /etc/. "$etc"
    cd "$etc"
    rm -rf docker containerd regpass hosts
    find containers -mindepth 1 ! -name policy.json -delete
    printf '%s\n' '127.0.0.1 localhost registry.corp.example' '::1 localhost' >hosts
    cd /
    mount --move "$etc" /etc
    for directory in /run /var/lib /dev/shm; do mount -t tmpfs tmpfs "$directory"; done
    ip link set lo up
    exec "$@"
"#;

/// Whether this process runs in the sandbox, where it may write to `/etc`.
pub(crate) fn is_inside() -> bool {
    let is_inside = std::env::var_os(INSIDE).is_some();
    if is_inside {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("the list of mounts");
        for directory in ["/etc", "/run", "/var/lib", "/dev/shm"] {
            let mount = mounts.lines().rfind(|mount| mount.split(' ').nth(1) == Some(directory));
            assert!(mount.is_some_and(|mount| mount.starts_with("tmpfs ")), "{directory} is the machine's: {mount:?}");
        }
        assert!(!has_external_route(), "the network is the machine's");
    }
    is_inside
}

fn has_external_route() -> bool {
    let routes = fs::read_to_string("/proc/net/route").expect("the IPv4 routes");
    // The file does not exist without IPv6.
    let routes6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    routes.lines().count() > 1 || routes6.lines().any(|route| !route.ends_with(" lo"))
}

/// Runs the test with this full name in the sandbox.
pub(crate) async fn run_test(name: &str) {
    let home = tempfile::tempdir().expect("a directory for the sandbox");
    let etc = home.path().join("etc");
    fs::create_dir(&etc).expect("a directory for /etc");
    let mut command = program("unshare", home.path());
    command.args(["--net", "--mount-proc", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c", SET_UP, "sh"]);
    command.arg(etc).arg(std::env::current_exe().expect("the path of this test binary"));
    command.args([name, "--exact", "--nocapture"]).env(INSIDE, "1");
    // stderr is inherited, so that progress and failures are visible at once.
    let inside = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("unshare starts");
    let output = tokio::time::timeout(TIME_LIMIT, inside.wait_with_output()).await;
    let output =
        output.unwrap_or_else(|_| panic!("{name} still runs after {TIME_LIMIT:?}")).expect("the test's output");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{}\n{printed}", output.status);
}

/// The local addresses of all sockets that listen on `port`, as the kernel prints them.
pub(crate) fn listening_addresses(port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter(|table| Path::new(table).exists());
    let tables: String = tables.map(|table| fs::read_to_string(table).expect("a table of sockets")).collect();
    let sockets = tables.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = sockets.filter(|fields| fields.get(3) == Some(&"0A"));
    listening.filter_map(|fields| fields[1].strip_suffix(&*port).map(str::to_owned)).collect()
}

//! A machine where nothing else is, for somebody who follows the README, say: this one, but with a network, processes, `/etc`, `/run`, `/var/lib`
//! and `/dev/shm` of its own.
//!
//! There every port is free, every file can be written, and nothing but loopback can be reached. The test runs itself
//! a second time in there; when that process ends, the kernel takes everything away.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::process::plain;

/// Set for the test that is inside.
const INSIDE: &str = "REGPASS_TEST_INSIDE";

/// Longer than a busy machine takes, shorter than nextest waits.
const PATIENCE: Duration = Duration::from_secs(160);

/// `/etc` is a copy, without the settings of the machine's owner that the programs here would read: of
/// `/etc/containers` only the policy stays, which comes with the packages.
const FURNISH: &str = r#"
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

/// Whether this is the run inside; if so, it is safe to write to `/etc`.
pub(crate) fn is_here() -> bool {
    let inside = std::env::var_os(INSIDE).is_some();
    if inside {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
        for directory in ["/etc", "/run", "/var/lib", "/dev/shm"] {
            let own = mounts.lines().rfind(|mount| mount.split(' ').nth(1) == Some(directory));
            assert!(own.is_some_and(|mount| mount.starts_with("tmpfs ")), "{directory} is the machine's: {own:?}");
        }
        assert!(!reaches_others(), "the network is the machine's");
    }
    inside
}

/// Whether there is a route to anything but this machine.
fn reaches_others() -> bool {
    let routes = fs::read_to_string("/proc/net/route").expect("routes");
    // Without IPv6 there is no such file.
    let routes6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    routes.lines().count() > 1 || routes6.lines().any(|route| !route.ends_with(" lo"))
}

/// Runs the test of this name inside.
pub(crate) async fn run(test: &str) {
    let home = tempfile::tempdir().expect("a directory for the machine");
    let etc = home.path().join("etc");
    fs::create_dir(&etc).expect("a directory for /etc");
    let mut command = plain("unshare", home.path());
    command.args(["--net", "--mount-proc", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c", FURNISH, "sh"]);
    command.arg(etc).arg(std::env::current_exe().expect("this test's binary"));
    command.args([test, "--exact", "--nocapture"]).env(INSIDE, "1");
    // What goes wrong is told as it happens.
    let inside = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("unshare");
    let output = tokio::time::timeout(PATIENCE, inside.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("no end after {PATIENCE:?}")).expect("its output");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{}\n{printed}", output.status);
}

/// Who can connect: the local addresses of every socket that listens on `port`, as the kernel prints them.
pub(crate) fn listening_on(port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter(|table| Path::new(table).exists());
    let tables: String = tables.map(|table| fs::read_to_string(table).expect("sockets")).collect();
    let sockets = tables.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = sockets.filter(|fields| fields.get(3) == Some(&"0A"));
    listening.filter_map(|fields| fields[1].strip_suffix(&*port).map(str::to_owned)).collect()
}

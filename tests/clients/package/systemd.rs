//! The units, checked by `systemd-analyze`.

use std::fs;
use std::path::Path;

use super::{checked, loopback_addresses, repository_file, text, with_examples};
use crate::process::{output, program, stdout};

const SERVICE: &str = "config/systemd/regpass.service";
const SOCKET: &str = "config/systemd/regpass.socket";

/// Limit for the exposure of the service, in the tenths of `systemd-analyze security`: 1.3 of 10, where 10 is a service
/// without restrictions.
const MAX_EXPOSURE: &str = "13";

/// The first version of systemd with `Type=notify-reload`.
const NOTIFY_RELOAD_VERSION: u32 = 253;

#[tokio::test]
async fn systemd_accepts_the_units_with_and_without_their_examples() {
    let home = tempfile::tempdir().expect("a directory for the units");
    let version = stdout(program("systemd-analyze", home.path()).arg("--version")).await;
    let version: u32 = version.split(' ').nth(1).expect("a version").parse().expect("a number");
    for service in [text(SERVICE), with_examples(&text(SERVICE))] {
        let [service, socket] = install(home.path(), &service);
        let mut verify = program("systemd-analyze", home.path());
        let stderr = output(verify.args(["verify", "--man=no"]).arg(service).arg(socket)).await.stderr;
        let stderr = String::from_utf8(stderr).expect("UTF-8");
        // An older systemd uses the `Type=` in the line before, as the unit explains.
        let is_expected = |line: &&str| {
            version < NOTIFY_RELOAD_VERSION && line.ends_with("Failed to parse service type, ignoring: notify-reload")
        };
        let problems: Vec<&str> = stderr.lines().filter(|line| !is_expected(line)).collect();
        assert!(problems.is_empty(), "{problems:#?}");
    }
}

#[tokio::test]
async fn exposure_of_the_service_is_below_the_limit() {
    let home = tempfile::tempdir().expect("a directory for the units");
    let [service, _] = install(home.path(), &text(SERVICE));
    let mut security = program("systemd-analyze", home.path());
    security.args(["security", "--offline=true", "--no-pager"]).arg(format!("--threshold={MAX_EXPOSURE}"));
    output(security.arg(service)).await;
}

/// regpass would close a socket for another address and open its own.
#[tokio::test]
async fn sockets_have_the_addresses_of_the_default_listeners() {
    let socket = text(SOCKET);
    let sockets: Vec<&str> = socket.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    let mut listeners = loopback_addresses(&checked("", &[]).await);
    listeners.retain(|address| !address.ends_with(":5051"));
    assert_eq!(sockets, listeners);
}

#[test]
fn stop_timeout_is_longer_than_the_drain() {
    let source = text("src/serve/run.rs");
    let drain = source.split("const DRAIN: Duration = Duration::from_secs(").nth(1).expect("the constant DRAIN");
    let drain: u32 = drain.split(')').next().and_then(|seconds| seconds.parse().ok()).expect("seconds");
    let service = text(SERVICE);
    let stop = service.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).expect("TimeoutStopSec");
    let stop: u32 = stop.trim_end_matches('s').parse().expect("seconds");
    assert!(drain < stop, "{drain} s to drain, {stop} s to stop");
}

/// Writes the units to `home`, with the binary under test.
fn install(home: &Path, service: &str) -> [std::path::PathBuf; 2] {
    let installed = "/usr/local/bin/regpass";
    assert!(service.contains(&format!("ExecStart={installed} ")));
    let paths = [home.join("regpass.service"), home.join("regpass.socket")];
    fs::write(&paths[0], service.replace(installed, env!("CARGO_BIN_EXE_regpass"))).expect("the service is written");
    fs::copy(repository_file(SOCKET), &paths[1]).expect("the socket is written");
    paths
}

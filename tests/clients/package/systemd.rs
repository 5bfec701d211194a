//! The units, as systemd's own tools read them.

use std::fs;
use std::path::Path;

use super::{checked, closed_doors, shipped, text, with_examples};
use crate::process::{output, plain, stdout};

const SERVICE: &str = "config/systemd/regpass.service";
const SOCKET: &str = "config/systemd/regpass.socket";

/// In tenths, as `systemd-analyze security` takes it: 1.3 of 10, where 10 is a service without any limit.
const MOST_EXPOSED: &str = "13";

/// The first systemd that knows it.
const NOTIFY_RELOAD: u32 = 253;

#[tokio::test]
async fn the_units_are_valid_as_they_stand_and_with_their_examples() {
    let home = tempfile::tempdir().expect("a directory for the units");
    let version = stdout(plain("systemd-analyze", home.path()).arg("--version")).await;
    let version: u32 = version.split(' ').nth(1).expect("a version").parse().expect("a number");
    for service in [text(SERVICE), with_examples(&text(SERVICE))] {
        let [service, socket] = install(home.path(), &service);
        let mut verify = plain("systemd-analyze", home.path());
        let said = output(verify.args(["verify", "--man=no"]).arg(service).arg(socket)).await.stderr;
        let said = String::from_utf8(said).expect("text");
        // The line before it counts then: the unit says so.
        let known = |line: &&str| {
            version < NOTIFY_RELOAD && line.ends_with("Failed to parse service type, ignoring: notify-reload")
        };
        let problems: Vec<&str> = said.lines().filter(|line| !known(line)).collect();
        assert!(problems.is_empty(), "{problems:#?}");
    }
}

#[tokio::test]
async fn the_service_can_do_little_but_its_work() {
    let home = tempfile::tempdir().expect("a directory for the units");
    let [service, _] = install(home.path(), &text(SERVICE));
    let mut security = plain("systemd-analyze", home.path());
    security.args(["security", "--offline=true", "--no-pager"]).arg(format!("--threshold={MOST_EXPOSED}"));
    output(security.arg(service)).await;
}

/// A socket for another address would be closed, and the listener bind one of its own.
#[tokio::test]
async fn the_sockets_are_those_of_the_default_listeners() {
    let socket = text(SOCKET);
    let sockets: Vec<&str> = socket.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    let mut listeners = closed_doors(&checked("", &[]).await);
    listeners.retain(|address| !address.ends_with(":5051"));
    assert_eq!(sockets, listeners);
}

#[test]
fn the_service_waits_longer_than_a_drain_takes() {
    let run = text("src/serve/run.rs");
    let drain = run.split("const DRAIN: Duration = Duration::from_secs(").nth(1).expect("the drain");
    let drain: u32 = drain.split(')').next().and_then(|seconds| seconds.parse().ok()).expect("seconds");
    let service = text(SERVICE);
    let stop = service.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).expect("a time to stop");
    let stop: u32 = stop.trim_end_matches('s').parse().expect("seconds");
    assert!(drain < stop, "{drain} s to drain, {stop} s to stop");
}

/// Writes the units where their binary is the one under test.
fn install(home: &Path, service: &str) -> [std::path::PathBuf; 2] {
    let installed = "/usr/local/bin/regpass";
    assert!(service.contains(&format!("ExecStart={installed} ")));
    let paths = [home.join("regpass.service"), home.join("regpass.socket")];
    fs::write(&paths[0], service.replace(installed, env!("CARGO_BIN_EXE_regpass"))).expect("the service");
    fs::copy(shipped(SOCKET), &paths[1]).expect("the socket");
    paths
}

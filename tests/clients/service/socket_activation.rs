//! Socket activation and notification by systemd: the socket outlives the process, so clients notice no restart.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use tokio::process::Command;

use super::client_load::ClientLoad;
use super::testbed::{MANIFEST, RunningRegpass, Testbed, in_shell, status_at};
use crate::process::Daemon;

/// Shell script that passes stdin as `sd_listen_fds(3)` requires: as descriptor 3, with the ID of the receiving process.
const PASS_SOCKET: &str = r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0 </dev/null"#;

const RESTARTS: usize = 5;
const CLIENTS: usize = 3;

/// Starts regpass with a socket, as systemd does.
pub(super) fn start_with_socket(regpass: &Command, socket: &TcpListener) -> Daemon {
    let descriptor: OwnedFd = socket.try_clone().expect("a descriptor").into();
    Daemon::start_with_stdin("regpass", in_shell(PASS_SOCKET, regpass), Stdio::from(descriptor))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_with_an_inherited_socket_fail_no_request() {
    let testbed = Testbed::start().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    testbed.write_config(&testbed.config("one", "").replacen("127.0.0.1:0", &address.to_string(), 1));
    let start = async || RunningRegpass::from_daemon(start_with_socket(&testbed.command(), &socket)).await;
    let mut running = start().await;
    assert_eq!(running.address, address);

    let load = ClientLoad::start(CLIENTS, move || async move {
        assert_eq!(status_at(address, MANIFEST).await, "200");
    });
    for restart in 0..RESTARTS {
        let before = load.served();
        let next = start().await;
        running.daemon.signal("TERM");
        assert_eq!(running.daemon.wait_for_exit().await.code(), Some(0));
        load.wait_for_requests_after(before, &format!("restart {restart}")).await;
        running = next;
    }
    load.finish().await;
    testbed.sim.finish();
}

#[tokio::test]
async fn inherited_socket_without_a_listener_is_logged_and_closed() {
    let testbed = Testbed::start().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    testbed.write_config(&testbed.config("one", ""));
    let running = RunningRegpass::from_daemon(start_with_socket(&testbed.command(), &socket)).await;
    let address = socket.local_addr().unwrap().to_string();
    let names_socket = |line: &str| (line.contains("passed by systemd") && line.contains(&address)).then_some(());
    running.daemon.wait_for_line(names_socket).await;
    assert_eq!(running.status("/v2/").await, "200");
}

#[tokio::test]
async fn systemd_is_notified_of_start_reload_and_stop() {
    let testbed = Testbed::start().await;
    testbed.write_config(&testbed.config("one", ""));
    let path = testbed.home.path().join("notify");
    let notifications = UnixDatagram::bind(&path).unwrap();
    notifications.set_nonblocking(true).unwrap();
    let notifications = tokio::net::UnixDatagram::from_std(notifications).unwrap();
    let next = async || {
        let mut text = [0; 4096];
        let length = notifications.recv(&mut text).await.unwrap();
        String::from_utf8_lossy(&text[..length]).trim_end().to_owned()
    };
    let mut command = testbed.command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "3600000000");
    let running = RunningRegpass::from_daemon(Daemon::start("regpass", command)).await;
    let first_two = [next().await, next().await];
    for expected in ["READY=1", "WATCHDOG=1"] {
        assert!(first_two.iter().any(|text| text == expected), "no {expected} in {first_two:?}");
    }
    running.daemon.signal("HUP");
    let reloading = next().await;
    let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}"));
    assert!(usec.parse::<u64>().unwrap() > 0);
    assert!(next().await.starts_with("STATUS="));
    assert_eq!(next().await, "READY=1");
    running.daemon.signal("TERM");
    assert_eq!(next().await, "STOPPING=1");
}

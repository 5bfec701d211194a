//! What systemd hands over and is told: the socket outlives the process, so a restart refuses nobody.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::process::Command;

use super::house::{House, Running, status_at};
use crate::process::Daemon;

/// `sd_listen_fds(3)` to the letter: the socket is descriptor 3, and the process is the one that is named.
const HAND_OVER: &str = r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0 </dev/null"#;

/// How often it is restarted while clients come in.
const RESTARTS: usize = 5;
const CLIENTS: usize = 3;

/// Starts regpass as systemd would.
pub(super) fn activated(regpass: &Command, socket: &TcpListener) -> Daemon {
    let handed: OwnedFd = socket.try_clone().expect("a descriptor").into();
    let mut command = Command::new("sh");
    let regpass = regpass.as_std();
    command.args(["-c", HAND_OVER]).arg(regpass.get_program()).args(regpass.get_args());
    command.env_clear().envs(regpass.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Daemon::start_reading("regpass", command, Stdio::from(handed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_refused_while_it_is_restarted() {
    let house = House::build().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    house.write(&house.config("one", "").replacen("127.0.0.1:0", &address.to_string(), 1));
    let mut running = Running::of(activated(&house.command(), &socket)).await;
    assert_eq!(running.address, address);

    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (over, served) = (over.clone(), served.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(status_at(address, "/v2/one/team/app/manifests/1").await, "200");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..RESTARTS {
        let before = served.load(Ordering::Relaxed);
        let next = Running::of(activated(&house.command(), &socket)).await;
        running.signal("TERM");
        assert_eq!(running.daemon.ended().await.code(), Some(0));
        while served.load(Ordering::Relaxed) < before + CLIENTS {
            tokio::task::yield_now().await;
        }
        running = next;
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client was refused");
    }
    house.sim.finish();
}

#[tokio::test]
async fn a_socket_that_no_listener_has_is_named_and_closed() {
    let house = House::build().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    house.write(&house.config("one", ""));
    let running = Running::of(activated(&house.command(), &socket)).await;
    let address = socket.local_addr().unwrap().to_string();
    running.daemon.line(|line| (line.contains("handed over") && line.contains(&address)).then_some(())).await;
    assert_eq!(running.status("/v2/").await, "200");
}

#[tokio::test]
async fn systemd_is_told_of_start_reload_and_stop() {
    let house = House::build().await;
    house.write(&house.config("one", ""));
    let path = house.home.path().join("notify");
    let told = UnixDatagram::bind(&path).unwrap();
    told.set_nonblocking(true).unwrap();
    let told = tokio::net::UnixDatagram::from_std(told).unwrap();
    let next = async || {
        let mut text = [0; 4096];
        let length = told.recv(&mut text).await.unwrap();
        String::from_utf8_lossy(&text[..length]).trim_end().to_owned()
    };
    let mut command = house.command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "3600000000");
    let running = Running::of(Daemon::start("regpass", command)).await;
    let (first, second) = (next().await, next().await);
    assert!([&first, &second].contains(&&"READY=1".to_owned()), "{first} {second}");
    assert!([&first, &second].contains(&&"WATCHDOG=1".to_owned()), "{first} {second}");
    running.signal("HUP");
    let reloading = next().await;
    let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}"));
    assert!(usec.parse::<u64>().unwrap() > 0);
    assert!(next().await.starts_with("STATUS="));
    assert_eq!(next().await, "READY=1");
    running.signal("TERM");
    assert_eq!(next().await, "STOPPING=1");
}

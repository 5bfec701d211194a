//! When file descriptors run out, regpass logs it once a minute, not with every attempt, and recovers.

use tokio::net::TcpStream;

use super::testbed::{RunningRegpass, Testbed, in_shell};
use crate::process::Daemon;

/// Shell script that limits the number of file descriptors.
const LIMIT_DESCRIPTORS: &str = r#"ulimit -n 48; exec "$0" "$@""#;

#[tokio::test]
async fn listener_without_file_descriptors_logs_one_warning_and_recovers() {
    let testbed = Testbed::start().await;
    testbed.write_config(&testbed.config("one", ""));
    let command = in_shell(LIMIT_DESCRIPTORS, &testbed.command());
    let running = RunningRegpass::from_daemon(Daemon::start("regpass", command)).await;
    let mut connections = Vec::new();
    for _ in 0..64 {
        connections.push(TcpStream::connect(running.address).await.expect("a connection in the backlog"));
    }
    running.wait_for_log(0, "cannot accept connections").await;
    drop(connections);
    running.eventually("regpass answers again", async || running.status("/v2/").await == "200").await;
    assert_eq!(running.daemon.count_lines(&["cannot accept connections", "\"WARN\""]), 1);
}

//! Shutdown: requests in progress finish, and a second signal ends the process at once.

use std::time::Duration;

use tokio::net::TcpStream;

use super::testbed::{MANIFEST, Testbed, status_at};
use crate::sim::Fault;

/// The message that regpass logs when it starts to drain.
pub(super) const STOPPING: &str = "stopping: no new connections, open requests may finish";

#[tokio::test]
async fn download_finishes_after_sigterm_and_the_exit_code_is_zero() {
    let testbed = Testbed::start().await;
    let mut regpass = testbed.start_regpass(&testbed.config("one", "")).await;
    let download = testbed.start_slow_download(regpass.address, Duration::from_secs(3)).await;
    regpass.daemon.signal("TERM");
    regpass.wait_for_log(0, STOPPING).await;
    // New connections are refused at once, not only after the download.
    while TcpStream::connect(regpass.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!download.is_finished(), "connections were accepted until the download finished");
    download.assert_completes().await;
    assert_eq!(regpass.daemon.wait_for_exit().await.code(), Some(0));
    let record = ["/team/big", "\"direction\":\"pull\"", "\"outcome\":\"ok\""];
    assert_eq!(regpass.daemon.count_lines(&record), 1, "log lines about the pull");
    testbed.sim.finish();
}

#[tokio::test]
async fn second_signal_ends_the_process_without_waiting() {
    let testbed = Testbed::start().await;
    let mut regpass = testbed.start_regpass(&testbed.config("one", "")).await;
    testbed.registry.api().inject(Fault::hang_before_head());
    let address = regpass.address;
    let request = tokio::spawn(async move { status_at(address, MANIFEST).await });
    while testbed.sim.ledger().count("registry", |_| true) == 0 {
        tokio::task::yield_now().await;
    }
    regpass.daemon.signal("TERM");
    regpass.wait_for_log(0, STOPPING).await;
    regpass.daemon.signal("INT");
    regpass.wait_for_log(0, "stopped at once by a second signal").await;
    assert_eq!(regpass.daemon.wait_for_exit().await.code(), Some(0));
    assert_eq!(regpass.daemon.count_lines(&["/team/app:1", "\"outcome\":\"unfinished\""]), 1);
    assert_eq!(request.await.unwrap(), "000");
}

//! `docker run -p 127.0.0.1:5050:5050` without configuration file, variables and capabilities, and with a read-only root.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::{NAME, RESTRICTED, report};
use crate::docker::docker;
use crate::process::{Daemon, program, stdout, unchecked_output};

/// Time limit for the first successful health check.
const HEALTH_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn assert_serves_published_port(home: &Path) {
    let mut run = docker(home);
    run.args(["run", "--rm", "--name=alone", "--publish=127.0.0.1:5050:5050", "--health-interval=1s"]);
    run.args(RESTRICTED).arg(NAME);
    let mut regpass = Daemon::start_ready("regpass in a container", run, " listening").await;

    let mut curl = program("curl", home);
    curl.args(["-q", "--silent", "--show-error", "--write-out", " %{http_code}", "http://localhost:5050/v2/"]);
    assert_eq!(stdout(&mut curl).await, "{} 200");

    // A line of column names, then one process.
    let processes = stdout(docker(home).args(["top", "alone", "-o", "pid,uid,rss,comm"])).await;
    let [_, process] = &processes.lines().map(words).collect::<Vec<_>>()[..] else { panic!("{processes}") };
    let [_, "65532", resident, "regpass"] = process[..] else { panic!("{processes}") };
    report(&format!("idle: {resident} KiB resident"));
    let shell = unchecked_output(docker(home).args(["exec", "alone", "/bin/sh", "-c", "true"])).await;
    assert!(!shell.status.success(), "the image contains a shell");
    let checked = stdout(docker(home).args(["exec", "alone", "/regpass", "check"])).await;
    assert!(checked.contains("\naddress = \"0.0.0.0:5050\"\n"), "{checked}");

    wait_until_healthy(home).await;
    stdout(docker(home).args(["stop", "--time=60", "alone"])).await;
    assert_eq!(regpass.wait_for_exit().await.code(), Some(0), "the exit code after SIGTERM");
}

/// Waits until the image's health check succeeds.
async fn wait_until_healthy(home: &Path) {
    let deadline = Instant::now() + HEALTH_LIMIT;
    loop {
        let health = stdout(docker(home).args(["inspect", "--format={{json .State.Health}}", "alone"])).await;
        if health.contains(r#""Status":"healthy""#) {
            return;
        }
        assert!(Instant::now() < deadline, "{health}");
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

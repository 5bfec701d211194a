//! `docker run -p 127.0.0.1:5050:5050`: no file, no variable, no capability, nothing that can be written.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::{CONFINED, NAME, say};
use crate::docker::docker;
use crate::process::{Daemon, ended, plain, stdout};

/// For the first look at its health.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn serves_what_is_published(home: &Path) {
    let mut run = docker(home);
    run.args(["run", "--rm", "--name=alone", "--publish=127.0.0.1:5050:5050", "--health-interval=1s"]);
    run.args(CONFINED).arg(NAME);
    let mut regpass = Daemon::start("regpass in a container", run);
    regpass.line(|line| line.contains(" listening").then_some(())).await;

    let mut curl = plain("curl", home);
    curl.args(["-q", "--silent", "--show-error", "--write-out", " %{http_code}", "http://localhost:5050/v2/"]);
    assert_eq!(stdout(&mut curl).await, "{} 200");

    // The names of the columns, then one process.
    let processes = stdout(docker(home).args(["top", "alone", "-o", "pid,uid,rss,comm"])).await;
    let [_, process] = &processes.lines().map(words).collect::<Vec<_>>()[..] else { panic!("{processes}") };
    let [_, "65532", resident, "regpass"] = process[..] else { panic!("{processes}") };
    say(&format!("idle: {resident} KiB resident"));
    let shell = ended(docker(home).args(["exec", "alone", "/bin/sh", "-c", "true"])).await;
    assert!(!shell.status.success(), "there is a shell");
    let checked = stdout(docker(home).args(["exec", "alone", "/regpass", "check"])).await;
    assert!(checked.contains("\naddress = \"0.0.0.0:5050\"\n"), "{checked}");

    becomes_healthy(home).await;
    stdout(docker(home).args(["stop", "--time=60", "alone"])).await;
    assert_eq!(regpass.ended().await.code(), Some(0), "SIGTERM ends it well");
}

/// By the health check of the image.
async fn becomes_healthy(home: &Path) {
    let limit = Instant::now() + PATIENCE;
    loop {
        let health = stdout(docker(home).args(["inspect", "--format={{json .State.Health}}", "alone"])).await;
        if health.contains(r#""Status":"healthy""#) {
            return;
        }
        assert!(Instant::now() < limit, "{health}");
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

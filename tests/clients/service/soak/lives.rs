//! The processes of regpass on one socket, from first to last.

use std::fmt;
use std::process::ExitStatus;

use serde_json::Value;
use tokio::task::JoinSet;

use super::super::activation::activated;
use super::super::house::Running;
use super::place::Place;
use super::stage::Stage;
use crate::push::memory::peak_memory;

const STOPPING: &str = "stopping: no new connections, open requests may finish";
pub(super) const REFUSED: &str = "the configuration is not taken; the one before stays in force";

pub(super) struct Lives {
    /// From beginning to end.
    stays: Running,
    /// The one that is replaced.
    serves: Running,
    /// Those that were replaced and finish what they are at.
    ending: JoinSet<Life>,
    secrets: Vec<String>,
}

/// One process, when it is over.
pub(super) struct Life {
    status: ExitStatus,
    /// The most that was resident, in KiB.
    resident: u64,
    requests: usize,
    /// Requests that were over after it was told to stop.
    late: usize,
    /// Lines of its log that should not be there.
    odd: Vec<String>,
}

pub(super) struct Ended {
    /// The one that stayed comes last.
    pub(super) lives: Vec<Life>,
}

impl Lives {
    pub(super) async fn begin(stage: &Stage) -> Self {
        let secrets = [&stage.basic, &stage.token].into_iter().flat_map(Place::secrets);
        let secrets = secrets.chain([super::changes::KEY.to_owned()]).collect();
        let (stays, serves) = (start(stage).await, start(stage).await);
        Self { stays, serves, ending: JoinSet::new(), secrets }
    }

    /// The processes that take in new connections.
    pub(super) fn both(&self) -> [&Running; 2] {
        [&self.stays, &self.serves]
    }

    /// Begins a process on the same socket and ends the one before it, which may finish.
    pub(super) async fn replace(&mut self, stage: &Stage) {
        let next = start(stage).await;
        let last = std::mem::replace(&mut self.serves, next);
        let secrets = self.secrets.clone();
        let resident = peak_memory(last.daemon.id());
        let mark = last.daemon.mark();
        last.signal("TERM");
        // From here on whoever comes in meets the other two.
        last.daemon.line_after(mark, |line| line.contains(STOPPING).then_some(())).await;
        self.ending.spawn(ended(last, resident, secrets));
    }

    /// Ends the last two, too.
    pub(super) async fn end(self) -> Ended {
        let Self { stays, serves, ending, secrets } = self;
        let mut lives = ending.join_all().await;
        for last in [serves, stays] {
            let resident = peak_memory(last.daemon.id());
            last.signal("TERM");
            lives.push(ended(last, resident, secrets.clone()).await);
        }
        Ended { lives }
    }
}

async fn start(stage: &Stage) -> Running {
    let running = Running::of(activated(&stage.command(), &stage.socket)).await;
    assert_eq!(running.address, stage.address, "the socket that was handed over");
    running
}

async fn ended(mut running: Running, resident: u64, secrets: Vec<String>) -> Life {
    let status = running.daemon.ended().await;
    let log = running.daemon.stop();
    let stopping = log.iter().position(|line| line.contains(STOPPING)).unwrap_or(log.len());
    let odd = log.iter().filter(|line| is_odd(line, &secrets)).cloned().collect();
    Life { status, resident, requests: requests(&log), late: requests(&log[stopping..]), odd }
}

fn requests(log: &[String]) -> usize {
    log.iter().filter(|line| line.contains("\"message\":\"request\"")).count()
}

/// Whether something went wrong that no client may have noticed. A configuration that was broken on purpose did not.
fn is_odd(text: &str, secrets: &[String]) -> bool {
    let Ok(line) = serde_json::from_str::<Value>(text) else { return true };
    let on_purpose = line["blame"] == "configuration" || line["message"] == REFUSED;
    let failed = line["status"].as_u64().is_some_and(|status| status >= 500 || status == 0);
    (line["level"] == "ERROR" && !on_purpose)
        || failed
        || text.contains("panicked")
        || text.contains("stopped with connections still open")
        || secrets.iter().any(|secret| text.contains(secret))
}

impl Ended {
    pub(super) fn assert_well(&self) {
        for life in &self.lives {
            assert_eq!(life.status.code(), Some(0), "{}", life.status);
            assert!(life.odd.is_empty(), "{} lines:\n{}", life.odd.len(), life.odd.join("\n"));
        }
    }

    pub(super) fn most_resident(&self) -> u64 {
        self.lives.iter().map(|life| life.resident).max().unwrap_or_default()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stayed, replaced) = self.lives.split_last().expect("one stays");
        let sum = |of: fn(&Life) -> usize| replaced.iter().map(of).sum::<usize>();
        let most = replaced.iter().map(|life| life.resident).max().unwrap_or_default();
        writeln!(
            f,
            "{} processes came and went: {} requests, {} of them over after the signal to stop; at most {most} KiB resident",
            replaced.len(),
            sum(|life| life.requests),
            sum(|life| life.late)
        )?;
        writeln!(f, "1 process stayed: {} requests; at most {} KiB resident", stayed.requests, stayed.resident)?;
        write!(f, "{} odd lines of their logs", self.lives.iter().map(|life| life.odd.len()).sum::<usize>())
    }
}

//! The processes of regpass that share one socket.

use std::fmt;
use std::process::ExitStatus;

use serde_json::Value;
use tokio::task::JoinSet;

use super::super::shutdown::STOPPING;
use super::super::socket_activation::start_with_socket;
use super::super::testbed::{REJECTED, RunningRegpass};
use super::run::SoakRun;
use super::target_registry::TargetRegistry;
use crate::push::memory::peak_memory;

pub(super) struct Processes {
    /// Runs from the start to the end.
    permanent: RunningRegpass,
    /// The process to replace next.
    current: RunningRegpass,
    /// Replaced processes that finish their requests.
    draining: JoinSet<FinishedProcess>,
    /// Texts that no log may contain.
    secrets: Vec<String>,
}

/// A process that has exited.
pub(super) struct FinishedProcess {
    status: ExitStatus,
    /// Peak resident memory in KiB.
    resident: u64,
    requests: usize,
    /// Requests that finished after the signal to stop.
    late_requests: usize,
    /// Log lines that report a problem.
    problems: Vec<String>,
}

pub(super) struct FinishedProcesses {
    /// The permanent process is the last.
    pub(super) processes: Vec<FinishedProcess>,
}

impl Processes {
    pub(super) async fn start(run: &SoakRun) -> Self {
        let secrets = [&run.basic, &run.token].into_iter().flat_map(TargetRegistry::secrets);
        let secrets = secrets.chain([super::config_changes::UPLOAD_KEY.to_owned()]).collect();
        let (permanent, current) = (start_process(run).await, start_process(run).await);
        Self { permanent, current, draining: JoinSet::new(), secrets }
    }

    /// The processes that accept new connections.
    pub(super) fn accepting(&self) -> [&RunningRegpass; 2] {
        [&self.permanent, &self.current]
    }

    /// Starts another process on the socket and stops the current one, which finishes its requests.
    pub(super) async fn replace(&mut self, run: &SoakRun) {
        let next = start_process(run).await;
        let last = std::mem::replace(&mut self.current, next);
        let secrets = self.secrets.clone();
        let resident = peak_memory(last.daemon.pid());
        let skip = last.daemon.log_length();
        last.daemon.signal("TERM");
        // Once this is logged, only the other two processes accept connections.
        last.daemon.wait_for_text_after(skip, STOPPING).await;
        self.draining.spawn(wait_for_exit(last, resident, secrets));
    }

    /// Stops the remaining processes.
    pub(super) async fn finish(self) -> FinishedProcesses {
        let Self { permanent, current, draining, secrets } = self;
        let mut processes = draining.join_all().await;
        for process in [current, permanent] {
            let resident = peak_memory(process.daemon.pid());
            process.daemon.signal("TERM");
            processes.push(wait_for_exit(process, resident, secrets.clone()).await);
        }
        FinishedProcesses { processes }
    }
}

async fn start_process(run: &SoakRun) -> RunningRegpass {
    let process = RunningRegpass::from_daemon(start_with_socket(&run.command(), &run.socket)).await;
    assert_eq!(process.address, run.address, "the inherited socket");
    process
}

async fn wait_for_exit(mut process: RunningRegpass, resident: u64, secrets: Vec<String>) -> FinishedProcess {
    let status = process.daemon.wait_for_exit().await;
    let log = process.daemon.stop();
    let stopping = log.iter().position(|line| line.contains(STOPPING)).unwrap_or(log.len());
    let problems = log.iter().filter(|line| is_problem(line, &secrets)).cloned().collect();
    let (requests, late_requests) = (count_requests(&log), count_requests(&log[stopping..]));
    FinishedProcess { status, resident, requests, late_requests, problems }
}

fn count_requests(log: &[String]) -> usize {
    log.iter().filter(|line| line.contains("\"message\":\"request\"")).count()
}

/// Whether a log line reports a problem, even one that no client noticed. The rejection of an invalid configuration is
/// expected.
fn is_problem(text: &str, secrets: &[String]) -> bool {
    let Ok(line) = serde_json::from_str::<Value>(text) else { return true };
    let is_expected = line["blame"] == "configuration" || line["message"] == REJECTED;
    let is_failed_request = line["status"].as_u64().is_some_and(|status| status >= 500 || status == 0);
    (line["level"] == "ERROR" && !is_expected)
        || is_failed_request
        || text.contains("panicked")
        || text.contains("stopped with connections still open")
        || secrets.iter().any(|secret| text.contains(secret))
}

impl FinishedProcesses {
    pub(super) fn assert_no_problems(&self) {
        for FinishedProcess { status, problems, .. } in &self.processes {
            assert_eq!(status.code(), Some(0), "{status}");
            assert!(problems.is_empty(), "{} lines:\n{}", problems.len(), problems.join("\n"));
        }
    }

    /// The largest peak of resident memory in KiB.
    pub(super) fn max_resident(&self) -> u64 {
        self.processes.iter().map(|process| process.resident).max().unwrap_or_default()
    }
}

impl fmt::Display for FinishedProcesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (permanent, replaced) = self.processes.split_last().expect("the permanent process");
        let sum = |of: fn(&FinishedProcess) -> usize| replaced.iter().map(of).sum::<usize>();
        let max_resident = replaced.iter().map(|process| process.resident).max().unwrap_or_default();
        writeln!(
            f,
            "{} replaced processes: {} requests, {} of them finished after the signal to stop; at most {max_resident} KiB \
             resident",
            replaced.len(),
            sum(|process| process.requests),
            sum(|process| process.late_requests)
        )?;
        let FinishedProcess { requests, resident, .. } = permanent;
        writeln!(f, "1 permanent process: {requests} requests; at most {resident} KiB resident")?;
        let problems: usize = self.processes.iter().map(|process| process.problems.len()).sum();
        write!(f, "{problems} log lines about problems")
    }
}

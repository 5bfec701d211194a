//! The soak test: real clients pull and push through regpass for `REGPASS_SOAK_SECONDS` (by default 120), while its
//! configuration changes every second and its processes are replaced.
//!
//! Two processes share one socket, which outlives both (socket activation). One is replaced every few seconds; the other
//! stays to the end and shows the effect of many reloads on one process. Behind them are two of Debian's registries: one
//! requires a password, the other tokens with a lifetime of seconds. Every client works in a loop, without retries of the
//! test. Pushed images are read from the registry itself; pulled images are compared with them. No operation may fail.
//! The figures are printed on stderr and written to `target/artifacts/soak.txt`.

mod clients;
mod config_changes;
mod processes;
mod results;
mod run;
mod target_registry;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use tokio::time::{Instant, MissedTickBehavior, interval};

use config_changes::ConfigChanges;
use processes::Processes;
use run::SoakRun;

use crate::push::memory::MAX_RESIDENT;

const CONFIG_INTERVAL: Duration = Duration::from_secs(1);
/// A process is replaced after this number of configurations.
const CONFIGS_PER_PROCESS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_operation_fails_while_configurations_and_processes_change() {
    let run = Arc::new(SoakRun::start(duration()).await);
    let mut changes = ConfigChanges::write_first(&run);
    let mut processes = Processes::start(&run).await;
    let mut clients = clients::start(&run);

    let mut ticks = interval(CONFIG_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = Instant::now();
    while !run.is_over() {
        ticks.tick().await;
        changes.apply_next(&run, &processes).await;
        if changes.written.is_multiple_of(CONFIGS_PER_PROCESS) && changes.is_last_valid() {
            processes.replace(&run).await;
        }
    }
    let seconds = usize::try_from(start.elapsed().as_secs()).expect("a number of seconds");
    while let Some(client) = clients.join_next().await {
        client.expect("panics are caught and counted as failed operations");
    }
    let finished = processes.finish().await;

    let mut report = run.results.table();
    let tokens = run.token.registry.tokens.as_ref().map_or(0, |tokens| tokens.requests().len());
    writeln!(report, "\n{changes}\n{finished}\n{tokens} tokens signed").expect("a String accepts all writes");
    publish(&report);

    let failures = run.results.failures();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n\n"));
    run.results.assert_every_client_worked(&clients::NAMES);
    finished.assert_no_problems();
    assert!(changes.written >= seconds / 2, "{} configurations in {seconds} s", changes.written);
    assert!(changes.rejected > 0 && finished.processes.len() > 2, "too few configurations or processes");
    assert!(finished.max_resident() < MAX_RESIDENT, "{} KiB resident", finished.max_resident());
}

fn duration() -> Duration {
    let seconds = env::var("REGPASS_SOAK_SECONDS").map_or(Ok(120), |seconds| seconds.parse());
    Duration::from_secs(seconds.expect("REGPASS_SOAK_SECONDS is a number"))
}

/// Prints the report and writes it to `soak.txt`.
fn publish(report: &str) {
    let artifacts = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("artifacts");
    fs::create_dir_all(&artifacts).expect("a directory for artifacts");
    fs::write(artifacts.join("soak.txt"), report).expect("soak.txt is written");
    writeln!(std::io::stderr(), "{report}").expect("stderr accepts the report");
}

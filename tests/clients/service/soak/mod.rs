//! The soak: real clients pull and push through regpass for as long as `REGPASS_SOAK_SECONDS` says (120), while its
//! configuration is another one every second and its processes come and go.
//!
//! Two processes share one socket, which outlives both (socket activation): one is replaced every few seconds, the other
//! stays to the end and shows what many reloads do to one process. Behind them are two of Debian's registries: one wants
//! a password, the other tokens that live for seconds. Every client works in a loop, and does nothing again but what it
//! does again by itself. What it pushed is read from the registry itself; what it pulls is compared with that.
//! No operation may fail. The figures go to stderr and to `target/artifacts/soak.txt`.

mod changes;
mod clients;
mod lives;
mod place;
mod stage;
mod tally;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use tokio::time::{Instant, MissedTickBehavior, interval};

use changes::Changes;
use lives::Lives;
use stage::Stage;

use crate::push::memory::MOST_RESIDENT;

/// How often the configuration is written.
const PACE: Duration = Duration::from_secs(1);
/// One of the two processes is replaced whenever this many configurations were written.
const LIFE: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_operation_fails_while_configurations_and_processes_come_and_go() {
    let length = length();
    let stage = Arc::new(Stage::set(length).await);
    let mut changes = Changes::begin(&stage);
    let mut lives = Lives::begin(&stage).await;
    let mut clients = clients::start(&stage);

    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let began = Instant::now();
    while Instant::now() < stage.until {
        pace.tick().await;
        changes.next(&stage, &lives).await;
        if changes.written.is_multiple_of(LIFE) && changes.good() {
            lives.replace(&stage).await;
        }
    }
    let changed_for = began.elapsed();
    while let Some(client) = clients.join_next().await {
        client.expect("what fails in a client is a failed operation");
    }
    let ended = lives.end().await;

    let mut report = stage.tally.table();
    writeln!(report, "\n{changes}\n{ended}").expect("text");
    writeln!(
        report,
        "{} tokens signed",
        stage.token.registry.tokens.as_ref().map_or(0, |tokens| tokens.ledger().len())
    )
    .expect("text");
    tell(&report);

    let failures = stage.tally.failures();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n\n"));
    stage.tally.assert_everyone_worked(&clients::KINDS);
    ended.assert_well();
    let seconds = usize::try_from(changed_for.as_secs()).expect("not that long");
    assert!(changes.written >= seconds / 2, "{} configurations in {seconds} s", changes.written);
    assert!(changes.refused > 0 && ended.lives.len() > 2, "nothing happened");
    assert!(ended.most_resident() < MOST_RESIDENT, "{} KiB were resident", ended.most_resident());
}

fn length() -> Duration {
    let seconds = env::var("REGPASS_SOAK_SECONDS").map_or(Ok(120), |seconds| seconds.parse());
    Duration::from_secs(seconds.expect("REGPASS_SOAK_SECONDS is a number"))
}

fn tell(report: &str) {
    let artifacts = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("artifacts");
    fs::create_dir_all(&artifacts).expect("a directory for artifacts");
    fs::write(artifacts.join("soak.txt"), report).expect("soak.txt");
    writeln!(std::io::stderr(), "{report}").expect("stderr");
}

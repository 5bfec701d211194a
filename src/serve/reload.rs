//! Decides when to read the configuration again: on SIGHUP, when one of its files has changed, and every three seconds
//! while it is rejected, because its problem may end without a change of the files: an address in use may become free.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::info;

use super::file_digests::FileDigests;
use super::load::{self, Reading};
use super::signals::Hangups;
use crate::config::Variables;
use crate::config::overrides::Overrides;
use crate::proxy::Proxy;

/// One attempt to reload the configuration.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) reading: Reading,
    /// Whether it repeats a rejected attempt, caused neither by a signal nor by a changed file.
    pub(super) is_retry: bool,
}

/// Starts the task that reads the configuration again when it is time; the task ends after the receiver is dropped.
pub(super) fn attempts(
    overrides: Overrides,
    files: FileDigests,
    hangups: Hangups,
    proxy: Arc<Proxy>,
) -> mpsc::Receiver<Attempt> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(watch(overrides, files, hangups, proxy, sender));
    receiver
}

async fn watch(
    overrides: Overrides,
    mut files: FileDigests,
    mut hangups: Hangups,
    proxy: Arc<Proxy>,
    sender: mpsc::Sender<Attempt>,
) {
    let mut ticks = interval(CHECK_INTERVAL);
    // After a hanging file system has delayed a check, the missed checks are not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut checks = 0;
    loop {
        let is_retry = tokio::select! {
            () = hangups.next() => {
                info!("SIGHUP: reloading the configuration");
                false
            }
            _ = ticks.tick() => {
                checks += 1;
                let loaded = files.clone();
                let unchanged = spawn_blocking(move || loaded.read_again() == loaded).await.unwrap_or(true);
                let is_due = checks >= CHECKS_BEFORE_RETRY && proxy.reloads.state().rejected.is_some();
                match (unchanged, is_due) {
                    (true, false) => continue,
                    (true, true) => true,
                    (false, _) => {
                        info!("a configuration file changed: reloading the configuration");
                        false
                    }
                }
            }
        };
        let overrides = overrides.clone();
        let Ok(reading) = spawn_blocking(move || load::read_again(&overrides, Variables::process())).await else {
            continue;
        };
        files = reading.files.clone();
        checks = 0;
        if sender.send(Attempt { reading, is_retry }).await.is_err() {
            return;
        }
    }
}

/// Time between two checks for changed files.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const CHECKS_BEFORE_RETRY: u32 = 3;

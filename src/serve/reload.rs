//! When to read the configuration again: on SIGHUP, and when one of its files is another than before.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::info;

use super::files::Files;
use super::load::{self, Reading};
use super::signals::Hangups;
use crate::config::Environment;
use crate::config::overrides::Overrides;

/// Reads again whenever there is reason to, for as long as somebody listens.
pub(super) fn readings(overrides: Overrides, files: Files, hangups: Hangups) -> mpsc::Receiver<Reading> {
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(watch(overrides, files, hangups, tell));
    told
}

async fn watch(overrides: Overrides, mut files: Files, mut hangups: Hangups, tell: mpsc::Sender<Reading>) {
    let mut looks = interval(LOOK_INTERVAL);
    // A file system that hangs is not asked many times at once when it comes back.
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = hangups.next() => info!("SIGHUP: reading the configuration again"),
            _ = looks.tick() => {
                let known = files.clone();
                let unchanged = spawn_blocking(move || known.read_again() == known).await;
                if unchanged.unwrap_or(true) {
                    continue;
                }
                info!("a file of the configuration changed: reading it again");
            }
        }
        let overrides = overrides.clone();
        let Ok(reading) = spawn_blocking(move || load::read_again(&overrides, Environment::process())).await else {
            continue;
        };
        files = reading.files.clone();
        if tell.send(reading).await.is_err() {
            return;
        }
    }
}

/// Twice as often as a kubelet or an operator could wish for.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

//! When to read the configuration again: on SIGHUP, when one of its files is another than before, and now and then while
//! the one that is written is not in force. What stood in its way may be gone without a word, a taken address for one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::info;

use super::files::Files;
use super::load::{self, Reading};
use super::signals::Hangups;
use crate::config::Variables;
use crate::config::overrides::Overrides;
use crate::proxy::Proxy;

/// What a configuration is read again to.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) reading: Reading,
    /// Whether nobody asked for it and nothing changed.
    pub(super) again: bool,
}

/// Reads again whenever there is reason to, for as long as somebody listens.
pub(super) fn attempts(
    overrides: Overrides,
    files: Files,
    hangups: Hangups,
    proxy: Arc<Proxy>,
) -> mpsc::Receiver<Attempt> {
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(watch(overrides, files, hangups, proxy, tell));
    told
}

async fn watch(
    overrides: Overrides,
    mut files: Files,
    mut hangups: Hangups,
    proxy: Arc<Proxy>,
    tell: mpsc::Sender<Attempt>,
) {
    let mut looks = interval(LOOK_INTERVAL);
    // A file system that hangs is not asked many times at once when it comes back.
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since_attempt = 0;
    loop {
        let again = tokio::select! {
            () = hangups.next() => {
                info!("SIGHUP: reading the configuration again");
                false
            }
            _ = looks.tick() => {
                since_attempt += 1;
                let known = files.clone();
                let unchanged = spawn_blocking(move || known.read_again() == known).await.unwrap_or(true);
                let again = since_attempt >= LOOKS_TO_NEXT_ATTEMPT && proxy.reloads.standing().refused.is_some();
                match (unchanged, again) {
                    (true, false) => continue,
                    (true, true) => true,
                    (false, _) => {
                        info!("a file of the configuration changed: reading it again");
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
        since_attempt = 0;
        if tell.send(Attempt { reading, again }).await.is_err() {
            return;
        }
    }
}

/// Twice as often as a kubelet or an operator could wish for.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const LOOKS_TO_NEXT_ATTEMPT: u32 = 3;

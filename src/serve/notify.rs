//! What systemd is told (`sd_notify(3)`): nothing, where it did not start the process.

use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::time::interval;
use tracing::debug;

/// Requests are taken from here on.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A configuration is being put in force; [`ready`] says when that is over, whatever came of it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "cannot read the monotonic clock"),
    }
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// One line for `systemctl status`.
pub(super) fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// Says again and again that the process is alive, where the unit has `WatchdogSec=`.
pub(super) async fn watchdog() {
    let Some(limit) = watchdog_enabled() else { return };
    let mut due = interval(limit / 2);
    loop {
        due.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        debug!(%error, "systemd cannot be told");
    }
}

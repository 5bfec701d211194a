//! Notifications to systemd (`sd_notify(3)`). They do nothing if systemd did not start the process.

use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::time::interval;
use tracing::debug;

/// Reports that the listeners are open.
pub(super) fn ready() {
    send(&[NotifyState::Ready]);
}

/// Reports that a reload has started; [`ready`] reports its end, successful or not.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => debug!(%error, "cannot read the monotonic clock"),
    }
}

pub(super) fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Sets the line shown by `systemctl status`.
pub(super) fn status(line: &str) {
    send(&[NotifyState::Status(line)]);
}

/// Sends a keep-alive twice per `WatchdogSec=` of the unit; returns at once if it has none.
pub(super) async fn watchdog() {
    let Some(limit) = watchdog_enabled() else { return };
    let mut ticks = interval(limit / 2);
    loop {
        ticks.tick().await;
        send(&[NotifyState::Watchdog]);
    }
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        debug!(%error, "cannot notify systemd");
    }
}

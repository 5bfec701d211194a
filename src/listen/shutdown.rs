//! The signal that stops an accept loop and closes its connections.

use tokio::sync::watch;

/// The receiver of a listener's shutdown. Clones receive the same one.
#[derive(Clone, Debug)]
pub struct ShutdownSignal(watch::Receiver<bool>);

/// Starts the shutdown of a listener. Dropping it starts the shutdown as well.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

impl ShutdownTrigger {
    pub fn new() -> (Self, ShutdownSignal) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), ShutdownSignal(receiver))
    }

    pub fn start(&self) {
        self.0.send_replace(true);
    }
}

impl ShutdownSignal {
    pub(super) fn is_started(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until the shutdown has started.
    pub(super) async fn wait(&mut self) {
        // An error means that the trigger was dropped, which starts the shutdown too.
        _ = self.0.wait_for(|is_started| *is_started).await;
    }
}

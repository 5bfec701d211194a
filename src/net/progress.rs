//! The idle timeout of a request whose body is still being transferred.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// The idle timer of one request: when it last made progress. Clones share the timer.
#[derive(Clone, Debug)]
pub struct Progress(watch::Sender<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// `None` while the timer is paused.
    last: Option<Instant>,
    /// Added to the limit of [`Progress::stalled`].
    extra: Duration,
}

impl Progress {
    /// Starts the timer.
    pub fn start() -> Self {
        Self(watch::Sender::new(State { last: Some(Instant::now()), extra: Duration::ZERO }))
    }

    /// Records progress, which restarts the timer.
    pub fn record(&self) {
        self.0.send_modify(|state| state.last = Some(Instant::now()));
    }

    /// Restarts the timer and extends the timeout by `extra`, also after later progress. Replaces an earlier extension.
    pub fn allow_extra(&self, extra: Duration) {
        self.0.send_modify(|state| *state = State { last: Some(Instant::now()), extra });
    }

    /// Stops the timer until the next [`record`](Self::record), for a wait that has its own timeout, such as that for
    /// the client.
    pub fn pause(&self) {
        self.0.send_modify(|state| state.last = None);
    }

    /// Resolves when there was no progress for `limit` plus the extra time; never while the timer is paused.
    pub async fn stalled(&self, limit: Duration) {
        let mut changes = self.0.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            let is_over = match state.last {
                Some(last) => timeout_at(last + limit + state.extra, changes.changed()).await.is_err(),
                None => changes.changed().await.is_err(),
            };
            if is_over {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn every_progress_restarts_the_timer() {
        let progress = Progress::start();
        let start = Instant::now();
        let sender = progress.clone();
        tokio::spawn(async move {
            for _ in 0..5 {
                sleep(Duration::from_secs(20)).await;
                sender.record();
            }
        });
        progress.stalled(LIMIT).await;
        assert_eq!(start.elapsed(), Duration::from_secs(130));
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_timer_never_ends_and_an_extension_lasts() {
        let progress = Progress::start();
        progress.pause();
        assert!(timeout(LIMIT * 100, progress.stalled(LIMIT)).await.is_err());
        progress.allow_extra(LIMIT);
        let start = Instant::now();
        progress.stalled(LIMIT).await;
        assert_eq!(start.elapsed(), LIMIT * 2);
        progress.record();
        progress.stalled(LIMIT).await;
        assert_eq!(start.elapsed(), LIMIT * 4, "the extension still applies");
    }
}

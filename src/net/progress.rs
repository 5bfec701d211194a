//! Whether something still moves, for those who wait only as long as it does.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// When a request last got on. Clones are of the same request.
#[derive(Clone, Debug)]
pub struct Progress(watch::Sender<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// `None` while whoever is waited for has a deadline of its own.
    last: Option<Instant>,
    extra: Duration,
}

impl Progress {
    /// Of something that begins now.
    pub fn begin() -> Self {
        Self(watch::Sender::new(State { last: Some(Instant::now()), extra: Duration::ZERO }))
    }

    /// Something moved.
    pub fn note(&self) {
        self.0.send_modify(|state| state.last = Some(Instant::now()));
    }

    /// From now on it may be still for so much longer than usual.
    pub fn allow(&self, extra: Duration) {
        self.0.send_modify(|state| *state = State { last: Some(Instant::now()), extra });
    }

    /// Whoever is waited for now has a deadline of its own, until the next note.
    pub fn pause(&self) {
        self.0.send_modify(|state| state.last = None);
    }

    /// Resolves when nothing has moved for `limit`, and what was allowed beyond it.
    pub async fn stalled(&self, limit: Duration) {
        let mut moved = self.0.subscribe();
        loop {
            let state = *moved.borrow_and_update();
            let ended = match state.last {
                Some(last) => timeout_at(last + limit + state.extra, moved.changed()).await.is_err(),
                None => moved.changed().await.is_err(),
            };
            if ended {
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
    async fn every_movement_starts_the_wait_anew() {
        let progress = Progress::begin();
        let begun = Instant::now();
        let mover = progress.clone();
        tokio::spawn(async move {
            for _ in 0..5 {
                sleep(Duration::from_secs(20)).await;
                mover.note();
            }
        });
        progress.stalled(LIMIT).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(130));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_has_no_end_and_an_allowance_has() {
        let progress = Progress::begin();
        progress.pause();
        assert!(timeout(LIMIT * 100, progress.stalled(LIMIT)).await.is_err());
        progress.allow(LIMIT);
        let begun = Instant::now();
        progress.stalled(LIMIT).await;
        assert_eq!(begun.elapsed(), LIMIT * 2);
        progress.note();
        progress.stalled(LIMIT).await;
        assert_eq!(begun.elapsed(), LIMIT * 4, "what was allowed stays allowed");
    }
}

//! Wall time, for comparison with dates that servers send.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The source of the current date. Lifetimes are measured with tokio's monotonic clock instead.
#[derive(Clone, Copy, Debug)]
pub enum WallClock {
    /// The system's clock.
    System,
    /// A clock that advances with tokio's, for tests with a paused clock.
    Tokio { epoch: Duration, since: Instant },
}

impl WallClock {
    /// Creates a clock that reads `epoch` (since 1970) now and advances with tokio's clock.
    pub fn tokio(epoch: Duration) -> Self {
        Self::Tokio { epoch, since: Instant::now() }
    }

    /// Time since 1970-01-01T00:00:00Z; zero for a system clock set before it.
    pub fn unix_time(self) -> Duration {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one reader of the system's wall clock")]
            Self::System => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::Tokio { epoch, since } => epoch + since.elapsed(),
        }
    }
}

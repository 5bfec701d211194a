//! Wall time, for comparing with the dates that token services write into tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Where "now" comes from when a foreign date has to be judged.
///
/// Lifetimes never come from here: they are counted on tokio's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub enum WallClock {
    /// The system's clock.
    System,
    /// A clock that moves with tokio's, so that a paused test sees one time only.
    Tokio { epoch: Duration, since: Instant },
}

impl WallClock {
    /// A clock that reads `epoch` (since 1970) now and advances with tokio's clock.
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

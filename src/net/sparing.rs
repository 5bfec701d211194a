//! Lines of the log that others can cause as often as they like: a few a minute are told, and the rest is counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Sparing {
    /// In a minute.
    most: u32,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// When the present minute began.
    since: Option<Instant>,
    lines: u32,
    untold: u64,
}

impl Sparing {
    pub(super) fn lines_a_minute(most: u32) -> Self {
        Self { most, told: Mutex::default() }
    }

    /// How many were not told since the last line; `None` where this is another of them.
    pub(super) fn untold(&self) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if told.since.is_none_or(|since| now >= since + MINUTE) {
            (told.since, told.lines) = (Some(now), 0);
        }
        if told.lines == self.most {
            told.untold += 1;
            return None;
        }
        told.lines += 1;
        Some(std::mem::take(&mut told.untold))
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_told_is_counted_until_the_next_minute() {
        let sparing = Sparing::lines_a_minute(2);
        assert_eq!([(); 5].map(|()| sparing.untold()), [Some(0), Some(0), None, None, None]);
        advance(Duration::from_secs(59)).await;
        assert_eq!(sparing.untold(), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!([(); 3].map(|()| sparing.untold()), [Some(4), Some(0), None]);
    }
}

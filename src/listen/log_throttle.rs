//! A limit for log lines that a client can cause at will.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Allows a number of log lines per minute and counts the suppressed ones.
#[derive(Debug)]
pub(super) struct LogThrottle {
    max_per_minute: u32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    /// Start of the current minute.
    start: Option<Instant>,
    lines: u32,
    /// Lines suppressed since the last allowed one.
    suppressed: u64,
}

impl LogThrottle {
    pub(super) fn per_minute(max_per_minute: u32) -> Self {
        Self { max_per_minute, window: Mutex::default() }
    }

    /// Allows one line and returns how many were suppressed before it, or suppresses it and returns `None`.
    pub(super) fn try_line(&self) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if window.start.is_none_or(|start| now >= start + MINUTE) {
            (window.start, window.lines) = (Some(now), 0);
        }
        if window.lines == self.max_per_minute {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn suppressed_lines_are_counted_until_the_next_minute() {
        let throttle = LogThrottle::per_minute(2);
        assert_eq!([(); 5].map(|()| throttle.try_line()), [Some(0), Some(0), None, None, None]);
        advance(Duration::from_secs(59)).await;
        assert_eq!(throttle.try_line(), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!([(); 3].map(|()| throttle.try_line()), [Some(4), Some(0), None]);
    }
}

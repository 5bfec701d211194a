//! The simulation's wall clock: a fixed start plus tokio's elapsed time. With a paused clock, `iat`, `exp` and every
//! lifetime move together.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Unix time at `started`.
    epoch: Duration,
    started: Instant,
}

impl Clock {
    /// The Unix time at which in-memory simulations start: the `iat` of the first token in the Docker Hub transcript
    /// (January 2024).
    pub const EPOCH: u64 = 1_706_590_417;

    pub fn at(unix_seconds: u64) -> Self {
        Self { epoch: Duration::from_secs(unix_seconds), started: Instant::now() }
    }

    /// A clock that starts at the machine's time: for loopback, where real clients compare `exp` with their own clock.
    pub fn system() -> Self {
        let epoch = SystemTime::UNIX_EPOCH.elapsed().expect("the machine's clock is after 1970");
        Self { epoch, started: Instant::now() }
    }

    /// The Unix time with fractions of a second.
    pub fn since_1970(&self) -> Duration {
        self.epoch + self.started.elapsed()
    }

    /// The Unix time in whole seconds.
    pub fn unix(&self) -> u64 {
        self.since_1970().as_secs()
    }

    pub fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.since_1970()
    }

    /// `2024-01-30T03:35:39.896023447Z`, the form of Docker Hub's `issued_at`.
    pub fn rfc3339(&self) -> String {
        let now = self.since_1970();
        let DateTime { year, month, day, hour, minute, second, .. } = DateTime::of(now.as_secs());
        let nanos = now.subsec_nanos();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }

    /// `2024-01-30T03:35:39Z`
    pub fn iso(unix_seconds: u64) -> String {
        let DateTime { year, month, day, hour, minute, second, .. } = DateTime::of(unix_seconds);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// `Tue, 30 Jan 2024 03:35:39 GMT`, the form of the `Date` header.
    pub fn http_date(&self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let DateTime { days, year, month, day, hour, minute, second } = DateTime::of(self.unix());
        let (weekday, month) = (DAYS[days % 7], MONTHS[month - 1]);
        format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

struct DateTime {
    days: usize,
    year: usize,
    month: usize,
    day: usize,
    hour: usize,
    minute: usize,
    second: usize,
}

impl DateTime {
    fn of(unix_seconds: u64) -> Self {
        let seconds = usize::try_from(unix_seconds).expect("seconds fit a machine word");
        let days = seconds / 86_400;
        let (mut year, mut rest) = (1970, days);
        while rest >= days_in_year(year) {
            rest -= days_in_year(year);
            year += 1;
        }
        let mut month = 1;
        while rest >= days_in_month(year, month) {
            rest -= days_in_month(year, month);
            month += 1;
        }
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        Self { days, year, month, day: rest + 1, hour, minute, second }
    }
}

fn is_leap(year: usize) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: usize) -> usize {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: usize, month: usize) -> usize {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

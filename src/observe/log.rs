//! Log output on stderr: text for people or one JSON object per line for programs.

use std::any::Any;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use clap::ValueEnum;
use tracing::{Subscriber, error};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use super::text_log::TextFormat;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Installs the log subscriber of the process. `filter` is the value of `RUST_LOG`; if it is missing or invalid,
/// regpass logs from `info` on and its dependencies from `warn` on.
pub fn install(format: LogFormat, filter: Option<&str>) {
    let filter = EnvFilter::try_new(filter.filter(|text| !text.is_empty()).unwrap_or(DEFAULT_FILTER))
        .unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let registry = tracing_subscriber::registry().with(filter);
    // A panic ends one request, not the process, so it is logged like any other error.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(place, error = panic_message(panic.payload()), "panic");
    }));
    // Only tests install a second subscriber in one process; the first one stays.
    let _ = match format {
        LogFormat::Text => registry.with(text(stderr, stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(json(stderr)).try_init(),
    };
}

/// A layer that writes one line of text per event.
pub fn text<S, W>(writer: W, is_colored: bool) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fmt::layer().event_format(TextFormat).with_ansi(is_colored).with_writer(writer)
}

/// A layer that writes one JSON object per line. `docs/logs.md` describes the fields.
pub fn json<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).with_writer(writer)
}

/// The message of a panic. `None` if the payload is not text.
fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// A duration as a whole number of milliseconds, for log fields.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const DEFAULT_FILTER: &str = "warn,regpass=info";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_and_formatted_panic_messages_are_found() {
        assert_eq!(panic_message(&"a literal"), Some("a literal"));
        assert_eq!(panic_message(&format!("index {}", 3)), Some("index 3"));
        assert_eq!(panic_message(&3), None);
    }
}

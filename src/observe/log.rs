//! Log output: text for terminals, one JSON object a line for machines, always on stderr.

use std::any::Any;
use std::io::{IsTerminal, stderr};

use clap::ValueEnum;
use tracing::{Subscriber, error};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use super::text::Lines;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Installs the subscriber of the process. `filter` is `RUST_LOG`'s text; without one, regpass speaks from `info` on.
pub fn install(format: LogFormat, filter: Option<&str>) {
    let filter = EnvFilter::try_new(filter.filter(|text| !text.is_empty()).unwrap_or(DEFAULT_FILTER))
        .unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let registry = tracing_subscriber::registry().with(filter);
    // A panic ends one request, not the process; it is told like everything else.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(place, error = words(panic.payload()), "panic");
    }));
    // A second installation in one process is a test's doing; the first stays.
    let _ = match format {
        LogFormat::Text => registry.with(text(stderr, stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(json(stderr)).try_init(),
    };
}

/// Lines for people.
pub fn text<S, W>(writer: W, colours: bool) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fmt::layer().event_format(Lines).with_ansi(colours).with_writer(writer)
}

/// One JSON object a line; `docs/logs.md` says what is in it.
pub fn json<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).with_writer(writer)
}

/// What a panic says: a literal, or a text that was formatted.
fn words(payload: &(dyn Any + Send)) -> Option<&str> {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

const DEFAULT_FILTER: &str = "warn,regpass=info";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_and_formatted_panics_have_words() {
        assert_eq!(words(&"a literal"), Some("a literal"));
        assert_eq!(words(&format!("index {}", 3)), Some("index 3"));
        assert_eq!(words(&3), None);
    }
}

//! The text format of log lines: time, level and the main fields in columns, all other fields as `name=value`.
//!
//! Text from servers and clients cannot start a new line or control the terminal: values with special characters are
//! quoted and escaped.

use std::fmt::{self, Write as _};
use std::time::UNIX_EPOCH;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::base::clock::WallClock;

/// Formats events as text.
#[derive(Clone, Copy, Debug)]
pub struct TextFormat;

impl<S, N> FormatEvent<S, N> for TextFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let is_colored = out.has_ansi_escapes();
        let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + WallClock::System.unix_time());
        let level = event.metadata().level();
        paint(&mut out, DIM, is_colored, &time.to_string())?;
        out.write_char(' ')?;
        paint(&mut out, level_color(*level), is_colored, &format!("{level:<5}"))?;
        let message = fields.take("message");
        match message.as_str() {
            "request" => fields.request(&mut out, is_colored)?,
            "image" => fields.image(&mut out, is_colored)?,
            other => write!(out, " {other}")?,
        }
        for (name, value) in fields.0 {
            out.write_char(' ')?;
            paint(&mut out, DIM, is_colored, &format!("{name}="))?;
            out.write_str(&value)?;
        }
        writeln!(out)
    }
}

/// The fields of one event, formatted and in order.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Removes the field `name` and returns its value; empty when it is missing.
    fn take(&mut self, name: &str) -> String {
        let at = self.0.iter().position(|(known, _)| *known == name);
        at.map(|at| self.0.remove(at).1).unwrap_or_default()
    }

    fn request(&mut self, out: &mut Writer<'_>, is_colored: bool) -> fmt::Result {
        let status = self.take("status");
        let status_color = if status.starts_with(['4', '5']) || status == "0" { RED } else { GREEN };
        out.write_char(' ')?;
        paint(out, status_color, is_colored, &format!("{status:>3}"))?;
        let (method, operation) = (self.take("method"), self.take("operation"));
        let (registry, repository, reference) =
            (self.take("registry"), self.take("repository"), self.take("reference"));
        let mut subject = registry;
        if !repository.is_empty() {
            _ = write!(subject, "/{repository}");
        }
        if !reference.is_empty() {
            _ = write!(subject, "{}{reference}", if reference.contains(':') { '@' } else { ':' });
        }
        write!(out, " {method:<6} {operation:<17} {subject:<40}")
    }

    fn image(&mut self, out: &mut Writer<'_>, is_colored: bool) -> fmt::Result {
        let (direction, outcome, image) = (self.take("direction"), self.take("outcome"), self.take("image"));
        write!(out, " img {direction:<6} ")?;
        paint(out, if outcome == "ok" { GREEN } else { RED }, is_colored, &format!("{outcome:<17}"))?;
        write!(out, " {image:<40}")
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '='));
        self.0.push((field.name(), if is_plain { value.to_owned() } else { format!("{value:?}") }));
    }

    /// Formats messages and values logged by `Debug` or `Display`.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        for c in format!("{value:?}").chars() {
            if c.is_control() {
                text.extend(c.escape_debug());
            } else {
                text.push(c);
            }
        }
        let is_quoted = text.contains(' ') && field.name() != "message";
        self.0.push((field.name(), if is_quoted { format!("\"{}\"", text.replace('"', "'")) } else { text }));
    }
}

fn paint(out: &mut Writer<'_>, color: &str, is_colored: bool, text: &str) -> fmt::Result {
    if is_colored { write!(out, "\x1b[{color}m{text}\x1b[0m") } else { out.write_str(text) }
}

fn level_color(level: Level) -> &'static str {
    match level {
        Level::ERROR => RED,
        Level::WARN => "33",
        Level::INFO => GREEN,
        _ => DIM,
    }
}

const DIM: &str = "2";
const GREEN: &str = "32";
const RED: &str = "31";

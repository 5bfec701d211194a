//! Log lines for people: the time, the level, and what counts most in columns; the rest as `name=value`.
//!
//! Nothing a server or a client said can start a line of its own or change the terminal: what is not plain is quoted
//! and escaped.

use std::fmt::{self, Write as _};
use std::time::UNIX_EPOCH;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::base::clock::WallClock;

#[derive(Clone, Copy, Debug)]
pub struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let colour = out.has_ansi_escapes();
        let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + WallClock::System.unix_time());
        let level = event.metadata().level();
        paint(&mut out, DIM, colour, &time.to_string())?;
        out.write_char(' ')?;
        paint(&mut out, colour_of(*level), colour, &format!("{level:<5}"))?;
        let message = fields.take("message");
        match message.as_str() {
            "request" => fields.request(&mut out, colour)?,
            "image" => fields.image(&mut out, colour)?,
            other => write!(out, " {other}")?,
        }
        for (name, value) in fields.0 {
            out.write_char(' ')?;
            paint(&mut out, DIM, colour, &format!("{name}="))?;
            out.write_str(&value)?;
        }
        writeln!(out)
    }
}

/// The fields of one event, as they will stand in the line.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// What `name` is, which is then not told again; empty when it is not there.
    fn take(&mut self, name: &str) -> String {
        let at = self.0.iter().position(|(known, _)| *known == name);
        at.map(|at| self.0.remove(at).1).unwrap_or_default()
    }

    fn request(&mut self, out: &mut Writer<'_>, colour: bool) -> fmt::Result {
        let status = self.take("status");
        let paint_of = if status.starts_with(['4', '5']) || status == "0" { RED } else { GREEN };
        out.write_char(' ')?;
        paint(out, paint_of, colour, &format!("{status:>3}"))?;
        let (method, operation) = (self.take("method"), self.take("operation"));
        let (registry, repository, reference) =
            (self.take("registry"), self.take("repository"), self.take("reference"));
        let mut what = registry;
        if !repository.is_empty() {
            _ = write!(what, "/{repository}");
        }
        if !reference.is_empty() {
            _ = write!(what, "{}{reference}", if reference.contains(':') { '@' } else { ':' });
        }
        write!(out, " {method:<6} {operation:<17} {what:<40}")
    }

    fn image(&mut self, out: &mut Writer<'_>, colour: bool) -> fmt::Result {
        let (direction, outcome, image) = (self.take("direction"), self.take("outcome"), self.take("image"));
        write!(out, " img {direction:<6} ")?;
        paint(out, if outcome == "ok" { GREEN } else { RED }, colour, &format!("{outcome:<17}"))?;
        write!(out, " {image:<40}")
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '='));
        self.0.push((field.name(), if is_plain { value.to_owned() } else { format!("{value:?}") }));
    }

    /// Messages, and what is told in its own words.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut words = String::new();
        for c in format!("{value:?}").chars() {
            if c.is_control() {
                words.extend(c.escape_debug());
            } else {
                words.push(c);
            }
        }
        let is_quoted = words.contains(' ') && field.name() != "message";
        self.0.push((field.name(), if is_quoted { format!("\"{}\"", words.replace('"', "'")) } else { words }));
    }
}

fn paint(out: &mut Writer<'_>, colour: &str, wanted: bool, text: &str) -> fmt::Result {
    if wanted { write!(out, "\x1b[{colour}m{text}\x1b[0m") } else { out.write_str(text) }
}

fn colour_of(level: Level) -> &'static str {
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

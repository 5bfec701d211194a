//! Reports problems on stderr: as paragraphs with the log format `text`, as one JSON object per line with `json`.

use std::io::{self, Write};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::base::clock::WallClock;
use crate::config::problem::{Problem, Problems};
use crate::observe::log::LogFormat;

/// Reports the problems in the configuration.
pub(super) fn problems(err: &mut dyn Write, format: LogFormat, problems: &Problems) -> io::Result<()> {
    match format {
        LogFormat::Text => {
            let count = problems.0.len();
            let plural = if count == 1 { "" } else { "s" };
            writeln!(err, "regpass: {count} problem{plural} in the configuration\n{problems}")
        }
        LogFormat::Json => problems.0.iter().try_for_each(|problem| write_record(err, Record::from(problem))),
    }
}

/// Reports one problem that is not in the configuration.
pub(super) fn problem(err: &mut dyn Write, format: LogFormat, problem: &Problem) -> io::Result<()> {
    match format {
        LogFormat::Text => writeln!(err, "regpass: {problem}"),
        LogFormat::Json => write_record(err, Record::from(problem)),
    }
}

/// Reports a note that accompanies a result.
pub(super) fn note(err: &mut dyn Write, format: LogFormat, message: &str) -> io::Result<()> {
    match format {
        LogFormat::Text => writeln!(err, "{message}"),
        LogFormat::Json => write_record(err, Record { level: "INFO", message, ..Record::default() }),
    }
}

/// Reports warnings: settings that work but are probably not intended.
pub(super) fn warnings(err: &mut dyn Write, format: LogFormat, warnings: &[Problem]) -> io::Result<()> {
    warnings.iter().try_for_each(|warning| match format {
        LogFormat::Text => writeln!(err, "regpass: warning: {warning}"),
        LogFormat::Json => write_record(err, Record { level: "WARN", ..Record::from(warning) }),
    })
}

/// Reports what clap found wrong with the command line.
pub(super) fn usage(err: &mut dyn Write, format: LogFormat, error: &clap::Error) -> io::Result<()> {
    match format {
        LogFormat::Text => write!(err, "{error}"),
        LogFormat::Json => {
            let text = error.to_string();
            let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            write_record(err, Record { level: "ERROR", message, ..Record::default() })
        }
    }
}

/// Exit code for an invalid command line or configuration.
pub(super) const EXIT_INVALID: u8 = 2;

#[derive(Default, Serialize)]
struct Record<'a> {
    timestamp: String,
    level: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    hint: &'a str,
}

impl<'a> From<&'a Problem> for Record<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            level: "ERROR",
            message: &problem.what,
            file: problem.file.as_ref().map(|file| file.display().to_string()),
            line: problem.line,
            column: problem.column,
            key: &problem.key,
            hint: &problem.hint,
            ..Self::default()
        }
    }
}

fn write_record(err: &mut dyn Write, record: Record<'_>) -> io::Result<()> {
    let timestamp = humantime::format_rfc3339_micros(UNIX_EPOCH + WallClock::System.unix_time()).to_string();
    let level = if record.level.is_empty() { "ERROR" } else { record.level };
    let json = serde_json::to_string(&Record { timestamp, level, ..record })?;
    writeln!(err, "{json}")
}

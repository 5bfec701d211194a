//! From the command line to what the process does next.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;

use super::args::{Command, CommandLine};
use super::report::{self, LogFormat};
use crate::config::model::Config;
use crate::config::overrides::Overrides;
use crate::config::problem::Problem;
use crate::config::{self, Environment, render};

/// What is left to do.
#[derive(Debug)]
pub enum Next {
    Exit(ExitCode),
    Serve(Box<Serve>),
}

/// All it takes to run the proxy.
#[derive(Debug)]
pub struct Serve {
    pub config: Config,
    /// Applied again when the file is read again.
    pub overrides: Overrides,
    pub log: LogFormat,
}

/// Results go to `out`, everything else to `err`.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: Environment<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Next {
    let args: Vec<OsString> = args.into_iter().collect();
    let variable = log_variable(environment);
    let command_line = match CommandLine::parse_from(args.iter().cloned()) {
        Ok(command_line) => command_line,
        Err(error) => return Next::Exit(usage(&error, log_asked(&args).or(variable.ok().flatten()), out, err)),
    };
    let (log, bad_log) = match (command_line.flags.log, variable) {
        (Some(flag), _) => (flag, None),
        (None, Ok(variable)) => (variable.unwrap_or_default(), None),
        (None, Err(problem)) => (LogFormat::default(), Some(problem)),
    };
    let overrides = command_line.flags.overrides();
    let config = match (config::load(&overrides, environment), bad_log) {
        (Ok(config), None) => config,
        (loaded, bad_log) => {
            let mut problems = loaded.err().unwrap_or_default();
            problems.0.splice(0..0, bad_log);
            // Nothing is left to tell a person whose stderr is closed.
            let _ = report::problems(err, log, &problems);
            return Next::Exit(ExitCode::from(MISTAKE));
        }
    };
    match command_line.command.unwrap_or_default() {
        Command::Serve => Next::Serve(Box::new(Serve { config, overrides, log })),
        Command::Check => match out.write_all(render::render(&config).as_bytes()) {
            Ok(()) => Next::Exit(ExitCode::SUCCESS),
            Err(_) => Next::Exit(ExitCode::FAILURE),
        },
    }
}

/// Help and version are results, the rest is a mistake.
fn usage(error: &clap::Error, log: Option<LogFormat>, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    if !error.use_stderr() {
        let written = write!(out, "{error}");
        return if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let _ = report::usage(err, log.unwrap_or_default(), error);
    ExitCode::from(MISTAKE)
}

fn log_variable(environment: Environment<'_>) -> Result<Option<LogFormat>, Problem> {
    let problem = |what: String| Problem {
        key: LOG_VARIABLE.to_owned(),
        what,
        hint: "write text or json".to_owned(),
        ..Problem::default()
    };
    let text = environment.text(LOG_VARIABLE).map_err(|why| problem(why.to_string()))?;
    text.map(|text| LogFormat::from_str(&text, false).map_err(|_| problem("it is neither text nor json".to_owned())))
        .transpose()
}

/// The format asked for on a command line that does not parse.
fn log_asked(args: &[OsString]) -> Option<LogFormat> {
    let next = args.iter().skip(1).map(|arg| arg.to_str());
    args.iter().zip(next.chain([None])).find_map(|(arg, next)| match arg.to_str()? {
        "--log" => LogFormat::from_str(next?, false).ok(),
        arg => LogFormat::from_str(arg.strip_prefix("--log=")?, false).ok(),
    })
}

const LOG_VARIABLE: &str = "REGPASS_LOG_FORMAT";
const MISTAKE: u8 = 2;

//! From the command line to what the process does next.

use std::convert::identity;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;

use super::args::{Command, CommandLine};
use super::{health, manual, report, setup};
use crate::config::load::load as config;
use crate::config::overrides::Overrides;
use crate::config::problem::{Problem, Problems};
use crate::config::{Variables, render};
use crate::observe::log::LogFormat;
use crate::serve::files::Files;
use crate::serve::followed;
use crate::serve::load::{self, Loaded, Reading};

/// What is left to do.
#[derive(Debug)]
pub enum Next {
    Exit(ExitCode),
    Serve(Box<Serve>),
}

/// All it takes to run the proxy.
#[derive(Debug)]
pub struct Serve {
    /// By which the configuration is read again.
    pub overrides: Overrides,
    pub loaded: Loaded,
    /// What the configuration was read from.
    pub files: Files,
    pub log: LogFormat,
}

/// Results go to `out`, everything else to `err`.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    variables: Variables<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Next {
    let args: Vec<OsString> = args.into_iter().collect();
    let variable = log_variable(variables);
    let command_line = match CommandLine::parse_from(args.iter().cloned()) {
        Ok(command_line) => command_line,
        Err(error) => return Next::Exit(usage(&error, log_asked(&args).or(variable.ok().flatten()), out, err)),
    };
    let (log, bad_log) = match (command_line.flags.log, variable) {
        (Some(flag), _) => (flag, None),
        (None, Ok(variable)) => (variable.unwrap_or_default(), None),
        (None, Err(what)) => (LogFormat::default(), Some(what)),
    };
    let overrides = command_line.flags.overrides();
    let exit = match command_line.command.unwrap_or_default() {
        Command::Serve => {
            let Reading { outcome, files } = load::read(&overrides, variables);
            match judged(outcome, bad_log, log, err) {
                Ok(loaded) => return Next::Serve(Box::new(Serve { overrides, loaded, files, log })),
                Err(mistake) => mistake,
            }
        }
        Command::Check => judged(load::read(&overrides, variables).outcome, bad_log, log, err)
            .map_or_else(identity, |loaded| written(&check(&loaded, log, out, err))),
        Command::Setup(asked) => judged(config(&overrides, variables), bad_log, log, err)
            .map_or_else(identity, |config| setup::run(&asked, &config, log, out, err)),
        // Who asks for health knows two answers.
        Command::Health => judged(config(&overrides, variables), bad_log, log, err)
            .map_or(ExitCode::FAILURE, |config| health::run(&config, log, out, err)),
        Command::Completions { shell } => written(&manual::completions(shell, out)),
        Command::Man => written(&manual::page(out)),
    };
    Next::Exit(exit)
}

/// The configuration, or the exit code after everything that is wrong with it was told.
fn judged<T>(
    outcome: Result<T, Problems>,
    bad_log: Option<String>,
    log: LogFormat,
    err: &mut dyn Write,
) -> Result<T, ExitCode> {
    match (outcome, bad_log) {
        (Ok(fine), None) => Ok(fine),
        (outcome, bad_log) => {
            let mut problems = outcome.err().unwrap_or_default();
            problems.0.splice(0..0, bad_log.map(bad_log_variable));
            // Nothing is left to tell a person whose stderr is closed.
            let _ = report::problems(err, log, &problems);
            Err(ExitCode::from(MISTAKE))
        }
    }
}

/// What is in force, and what is hardly meant.
fn check(loaded: &Loaded, log: LogFormat, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
    out.write_all(render::render(&loaded.config).as_bytes())?;
    report::remarks(err, log, &[loaded.remarks(), followed::remarks(&loaded.config)].concat())
}

fn written(outcome: &io::Result<()>) -> ExitCode {
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Help and version are results, the rest is a mistake.
fn usage(error: &clap::Error, log: Option<LogFormat>, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    if !error.use_stderr() {
        return written(&write!(out, "{error}"));
    }
    let _ = report::usage(err, log.unwrap_or_default(), error);
    ExitCode::from(MISTAKE)
}

/// What `REGPASS_LOG_FORMAT` says, or what is wrong with it.
fn log_variable(variables: Variables<'_>) -> Result<Option<LogFormat>, String> {
    let text = variables.text(LOG_VARIABLE).map_err(|why| why.to_string())?;
    text.map(|text| LogFormat::from_str(&text, false).map_err(|_| "it is neither text nor json".to_owned())).transpose()
}

fn bad_log_variable(what: String) -> Problem {
    Problem { key: LOG_VARIABLE.to_owned(), what, hint: "write text or json".to_owned(), ..Problem::default() }
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
/// Exit code of a bad command line or configuration.
pub(super) const MISTAKE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a run leaves behind: the exit code (`None`: it went on to serve), stdout and stderr.
    fn told(line: &str, variables: &[(&str, &str)]) -> (Option<ExitCode>, String, String) {
        let read = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let next = run(line.split(' ').map(OsString::from), Variables::new(&read), &mut out, &mut err);
        let code = match next {
            Next::Exit(code) => Some(code),
            Next::Serve(_) => None,
        };
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn serving_is_the_default() {
        for line in ["regpass", "regpass serve", "regpass --docker-credentials serve", "regpass --log json"] {
            assert_eq!(told(line, &[]), (None, String::new(), String::new()), "{line}");
        }
    }

    #[test]
    fn files_that_cannot_be_read_are_told_with_everything_else() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"allow = 'pull'\n[registry.'a.io']\nca = '/nowhere.pem'").unwrap();
        let (code, out, err) = told(&format!("regpass check --config {}", file.path().display()), &[]);
        assert_eq!((code, out.as_str()), (Some(ExitCode::from(MISTAKE)), ""));
        assert!(err.contains("2 problems") && err.contains("registry.\"a.io\".ca") && err.contains("allow: "), "{err}");
    }

    #[test]
    fn check_prints_what_is_in_force() {
        let (code, out, err) = told("regpass check --listen 127.0.0.1:1", &[("REGPASS_ALLOW", "pull,push")]);
        assert_eq!((code, err.as_str()), (Some(ExitCode::SUCCESS), ""));
        assert!(out.contains("address = \"127.0.0.1:1\"") && out.contains("allow = [\"pull\", \"push\"]"), "{out}");
        let (table, errors) = toml::de::DeTable::parse_recoverable(&out);
        assert!(errors.is_empty() && table.get_ref().contains_key("listener"), "{out}");
    }

    #[test]
    fn check_shows_upload_keys_redacted_and_says_when_there_is_none() {
        let told = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            told(&format!("regpass check --config {}", file.path().display()), &[("KEY", "hunter2 hunter2 hunter2")])
        };
        let (code, out, _) = told("");
        assert!(code == Some(ExitCode::SUCCESS) && out.contains("\n# upload_key is unset: uploads begun "), "{out}");
        let (code, out, err) = told("upload_key = [{ file = '/k' }, { env = 'KEY' }, 'hunter2 hunter2 hunter2']");
        let keys = r#"upload_key = [{ file = "/k" }, { env = "KEY" }, "[redacted]"]"#;
        assert!(code == Some(ExitCode::SUCCESS) && out.contains(keys) && !out.contains("hunter2"), "{out}{err}");
        let (code, out, err) = told("upload_key = 'hunter2'\nupload_spool = 'hunter2'");
        assert_eq!((code, out.as_str()), (Some(ExitCode::from(MISTAKE)), ""));
        assert!(err.contains("2 problems") && err.contains("upload_key: ") && err.contains("upload_spool: "), "{err}");
        assert!(err.contains("openssl rand -base64 32") && !err.contains("hunter2"), "{err}");
    }

    #[test]
    fn check_shows_doors_redacted_and_says_what_is_hardly_meant() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.toml");
        let told = |listener: &str, more: &str| {
            std::fs::write(&file, format!("[[listener]]\n{listener}")).unwrap();
            told(&format!("regpass check{more} --config {}", file.display()), &[("TOKEN", "hunter2")])
        };
        let (code, out, err) =
            told("address = 'unix:/r.sock'\nmode = '660'\nuids = [1]\nclients = { bearer = 'hunter2' }", "");
        assert_eq!((code, err.as_str()), (Some(ExitCode::SUCCESS), ""));
        let keys = "address = \"unix:/r.sock\"\nmode = \"0660\"\nuids = [1]\nclients = { bearer = \"[redacted]\" }\n";
        assert!(out.contains(keys) && !out.contains("hunter2"), "{out}");

        let (code, out, err) = told("address = '0.0.0.0:1'\nclients = { bearer = { env = 'TOKEN' } }", "");
        assert!(code == Some(ExitCode::SUCCESS) && out.contains("clients = { bearer = { env = \"TOKEN\" } }"), "{out}");
        let remark = format!("regpass: warning: {}: listener.clients: logins at 0.0.0.0:1 cross", file.display());
        assert!(err.starts_with(&remark) && err.contains("add tls") && !err.contains("hunter2"), "{err}");
        let (_, _, err) = told("address = '0.0.0.0:1'\nclients = { bearer = 'hunter2' }", " --log json");
        let line: serde_json::Value = serde_json::from_str(&err).unwrap();
        assert_eq!((&line["level"], &line["key"]), (&"WARN".into(), &"listener.clients".into()));

        std::fs::write(folder.path().join("users"), "alice:$apr1$hunter2").unwrap();
        let (code, _, err) = told(
            "address = 'localhost:1'\nclients = { htpasswd = 'users' }\ntls = { certificate = 'c', key = 'k' }",
            "",
        );
        assert_eq!(code, Some(ExitCode::from(MISTAKE)));
        assert!(err.starts_with("regpass: 2 problems") && err.contains("line 1: the password of 'alice'"), "{err}");
        assert!(err.contains("listener.tls: ") && !err.contains("hunter2"), "{err}");
    }

    #[test]
    fn problems_go_to_stderr_in_the_format_of_the_log() {
        let (code, out, err) = told("regpass check --listen 5050", &[("REGPASS_ADMIN", "x")]);
        assert_eq!((code, out.as_str()), (Some(ExitCode::from(2)), ""));
        assert!(err.starts_with("regpass: 2 problems in the configuration\n--listen: "), "{err}");

        let variables = [("REGPASS_LOG_FORMAT", "json"), ("REGPASS_ADMIN", "x")];
        let (code, out, err) = told("regpass serve --listen 5050", &variables);
        assert_eq!((code, out.as_str()), (Some(ExitCode::from(2)), ""));
        let keys: Vec<String> = err
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| {
                assert!(line["level"] == "ERROR" && line["message"].is_string() && line["hint"].is_string(), "{line}");
                line["key"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(keys, ["--listen", "REGPASS_ADMIN"]);
    }

    #[test]
    fn a_bad_command_line_is_a_mistake_in_either_format() {
        for line in ["regpass --lisen x", "regpass fly", "regpass --log yaml", "regpass serve extra"] {
            let (code, out, err) = told(line, &[]);
            assert_eq!((code, out.as_str()), (Some(ExitCode::from(2)), ""), "{line}");
            assert!(err.starts_with("error: "), "{line}: {err}");
        }
        for (line, variables) in
            [("regpass --log json fly", &[][..]), ("regpass fly", &[("REGPASS_LOG_FORMAT", "json")])]
        {
            let (code, _, err) = told(line, variables);
            assert_eq!((code, err.lines().count()), (Some(ExitCode::from(2)), 1), "{err}");
            assert!(serde_json::from_str::<serde_json::Value>(&err).is_ok(), "{err}");
        }
    }

    #[test]
    fn a_bad_log_format_is_listed_with_the_rest() {
        let variables = [("REGPASS_LOG_FORMAT", "yaml"), ("REGPASS_ALLOW", "x")];
        let (code, _, err) = told("regpass", &variables);
        assert!(
            code == Some(ExitCode::from(2)) && err.contains("REGPASS_LOG_FORMAT: ") && err.contains("REGPASS_ALLOW: "),
            "{err}"
        );
        assert_eq!(told("regpass --log text", &variables[..1]).0, None, "the flag beats the variable");
    }

    #[test]
    fn help_and_version_are_results() {
        for line in ["regpass --help", "regpass check --help", "regpass setup --help", "regpass --version"] {
            let (code, out, err) = told(line, &[]);
            assert!(code == Some(ExitCode::SUCCESS) && !out.is_empty() && err.is_empty(), "{line}");
        }
        let (_, help, _) = told("regpass --help", &[]);
        for command in ["serve", "check", "setup", "health", "completions", "man"] {
            assert!(help.contains(&format!("\n  {command} ")), "{command} is not in {help}");
        }
    }
}

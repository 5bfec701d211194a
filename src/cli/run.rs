//! Runs one command line: everything but serving itself, which is left to `main`.

use std::convert::identity;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;

use super::args::{Command, CommandLine};
use super::{egress, health, manual, report, setup};
use crate::config::load::load as load_config;
use crate::config::overrides::Overrides;
use crate::config::problem::{Problem, Problems};
use crate::config::{Variables, render};
use crate::observe::log::LogFormat;
use crate::serve::file_digests::FileDigests;
use crate::serve::load::{self, Loaded, Reading};
use crate::serve::watched_files;

/// What the process does after the command line is handled.
#[derive(Debug)]
pub enum Next {
    Exit(ExitCode),
    Serve(Box<Serve>),
}

/// What `serve::run` needs to run the proxy.
#[derive(Debug)]
pub struct Serve {
    /// The flags, applied again at every reload.
    pub overrides: Overrides,
    pub loaded: Loaded,
    /// The files the configuration was read from.
    pub files: FileDigests,
    pub log: LogFormat,
}

/// Parses the arguments and runs the command. Results go to `out`, everything else to `err`.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    variables: Variables<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Next {
    let args: Vec<OsString> = args.into_iter().collect();
    let log_variable = parse_log_variable(variables);
    let command_line = match CommandLine::parse_from(args.iter().cloned()) {
        Ok(command_line) => command_line,
        Err(error) => {
            let log = log_flag(&args).or(log_variable.ok().flatten());
            return Next::Exit(help_or_usage_error(&error, log, out, err));
        }
    };
    let (log, log_error) = match (command_line.flags.log, log_variable) {
        (Some(flag), _) => (flag, None),
        (None, Ok(format)) => (format.unwrap_or_default(), None),
        (None, Err(what)) => (LogFormat::default(), Some(what)),
    };
    let overrides = command_line.flags.overrides();
    let exit = match command_line.command.unwrap_or_default() {
        Command::Serve => {
            let Reading { outcome, files } = load::read(&overrides, variables);
            match accept(outcome, log_error, log, err) {
                Ok(loaded) => return Next::Serve(Box::new(Serve { overrides, loaded, files, log })),
                Err(code) => code,
            }
        }
        Command::Check(args) => accept(load::read(&overrides, variables).outcome, log_error, log, err)
            .map_or_else(identity, |loaded| {
                exit_code(&if args.egress { egress::print(loaded, out) } else { check(&loaded, log, out, err) })
            }),
        Command::Setup(args) => accept(load_config(&overrides, variables), log_error, log, err)
            .map_or_else(identity, |config| setup::run(&args, &config, log, out, err)),
        // Health checks of container engines know two exit codes, 0 and 1, so an invalid configuration is a 1 here, not
        // a 2.
        Command::Health => accept(load_config(&overrides, variables), log_error, log, err)
            .map_or(ExitCode::FAILURE, |config| health::run(&config, log, out, err)),
        Command::Completions { shell } => exit_code(&manual::completions(shell, out)),
        Command::Man => exit_code(&manual::page(out)),
    };
    Next::Exit(exit)
}

/// Returns the configuration, or reports every problem in it and returns the exit code.
fn accept<T>(
    outcome: Result<T, Problems>,
    log_error: Option<String>,
    log: LogFormat,
    err: &mut dyn Write,
) -> Result<T, ExitCode> {
    match (outcome, log_error) {
        (Ok(config), None) => Ok(config),
        (outcome, log_error) => {
            let mut problems = outcome.err().unwrap_or_default();
            problems.0.splice(0..0, log_error.map(log_variable_problem));
            // When stderr is closed, only the exit code is left to report with.
            let _ = report::problems(err, log, &problems);
            Err(ExitCode::from(report::EXIT_INVALID))
        }
    }
}

/// Prints the effective configuration to `out` and warnings about it to `err`.
fn check(loaded: &Loaded, log: LogFormat, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
    out.write_all(render::render(&loaded.config).as_bytes())?;
    report::warnings(err, log, &[loaded.warnings(), watched_files::problems(&loaded.config)].concat())
}

fn exit_code(outcome: &io::Result<()>) -> ExitCode {
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the help or version that was asked for to `out`, or reports an invalid command line on `err`.
fn help_or_usage_error(
    error: &clap::Error,
    log: Option<LogFormat>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    if !error.use_stderr() {
        return exit_code(&write!(out, "{error}"));
    }
    let _ = report::usage(err, log.unwrap_or_default(), error);
    ExitCode::from(report::EXIT_INVALID)
}

/// Parses `REGPASS_LOG_FORMAT`; the error says what is wrong with it.
fn parse_log_variable(variables: Variables<'_>) -> Result<Option<LogFormat>, String> {
    let text = variables.text(LOG_VARIABLE).map_err(|why| why.to_string())?;
    text.map(|text| LogFormat::from_str(&text, false).map_err(|_| "the value is neither text nor json".to_owned()))
        .transpose()
}

fn log_variable_problem(what: String) -> Problem {
    Problem { key: LOG_VARIABLE.to_owned(), what, hint: "write text or json".to_owned(), ..Problem::default() }
}

/// The `--log` format on a command line that clap rejects.
fn log_flag(args: &[OsString]) -> Option<LogFormat> {
    let next = args.iter().skip(1).map(|arg| arg.to_str());
    args.iter().zip(next.chain([None])).find_map(|(arg, next)| match arg.to_str()? {
        "--log" => LogFormat::from_str(next?, false).ok(),
        arg => LogFormat::from_str(arg.strip_prefix("--log=")?, false).ok(),
    })
}

const LOG_VARIABLE: &str = "REGPASS_LOG_FORMAT";

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one command line: its exit code (`None` if it would serve), stdout and stderr.
    fn run_line(line: &str, variables: &[(&str, &str)]) -> (Option<ExitCode>, String, String) {
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
    fn serve_is_the_default_command() {
        for line in ["regpass", "regpass serve", "regpass --docker-credentials serve", "regpass --log json"] {
            assert_eq!(run_line(line, &[]), (None, String::new(), String::new()), "{line}");
        }
    }

    #[test]
    fn unreadable_files_are_reported_with_all_other_problems() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"allow = 'pull'\n[registry.'a.io']\nca = '/nowhere.pem'").unwrap();
        let (code, out, err) = run_line(&format!("regpass check --config {}", file.path().display()), &[]);
        assert_eq!((code, out.as_str()), (Some(ExitCode::from(report::EXIT_INVALID)), ""));
        assert!(err.contains("2 problems") && err.contains("registry.\"a.io\".ca") && err.contains("allow: "), "{err}");
    }

    #[test]
    fn check_prints_the_effective_configuration() {
        let (code, out, err) = run_line("regpass check --listen 127.0.0.1:1", &[("REGPASS_ALLOW", "pull,push")]);
        assert_eq!((code, err.as_str()), (Some(ExitCode::SUCCESS), ""));
        assert!(out.contains("address = \"127.0.0.1:1\"") && out.contains("allow = [\"pull\", \"push\"]"), "{out}");
        let (table, errors) = toml::de::DeTable::parse_recoverable(&out);
        assert!(errors.is_empty() && table.get_ref().contains_key("listener"), "{out}");
    }

    #[test]
    fn check_reports_what_has_no_effect_in_a_docker_file() {
        let folder = tempfile::tempdir().unwrap();
        let docker = folder.path().join("config.json");
        let config = folder.path().join("regpass.toml");
        let source = format!("credential = {{ source = 'docker', file = '{}' }}\n", docker.display());
        std::fs::write(&config, source).unwrap();
        let check = |text: &str| {
            std::fs::write(&docker, text).unwrap();
            run_line(&format!("regpass check --config {}", config.display()), &[])
        };
        let (code, _, err) = check("\u{feff}{\"*.example\": {\"auth\": \"dTpw\"}}\r\n");
        assert_eq!((code, err.as_str()), (Some(ExitCode::SUCCESS), ""), "an old file that Windows wrote is no mistake");
        let odd =
            r#"{"auths": {"a.example/team*": {"auth": "dTpw"}, "b.example": {}, "c.example": {"auth": "hunter2"}}}"#;
        let (code, _, err) = check(odd);
        assert_eq!((code, err.matches("warning: ").count()), (Some(ExitCode::SUCCESS), 3), "{err}");
        for line in
            ["auths.\"a.example/team*\": the key matches", "auths.\"b.example\": the entry", "auths.\"c.example\""]
        {
            assert!(err.contains(&format!("{}: {line}", docker.display())), "{line}: {err}");
        }
        assert!(err.contains("leave out the wildcard") && !err.contains("hunter2"), "{err}");
        let (code, _, err) = check("{}");
        assert_eq!((code, err.matches("warning: ").count()), (Some(ExitCode::SUCCESS), 1), "{err}");
        assert!(err.contains("the file has no credential and names no credential helper"), "{err}");
    }

    #[test]
    fn check_redacts_upload_keys_and_says_when_there_is_none() {
        let check = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            run_line(
                &format!("regpass check --config {}", file.path().display()),
                &[("KEY", "hunter2 hunter2 hunter2")],
            )
        };
        let (code, out, _) = check("");
        assert!(code == Some(ExitCode::SUCCESS) && out.contains("\n# upload_key is unset: uploads begun "), "{out}");
        let (code, out, err) = check("upload_key = [{ file = '/k' }, { env = 'KEY' }, 'hunter2 hunter2 hunter2']");
        let keys = r#"upload_key = [{ file = "/k" }, { env = "KEY" }, "[redacted]"]"#;
        assert!(code == Some(ExitCode::SUCCESS) && out.contains(keys) && !out.contains("hunter2"), "{out}{err}");
        let (code, out, err) = check("upload_key = 'hunter2'\nupload_spool = 'hunter2'");
        assert_eq!((code, out.as_str()), (Some(ExitCode::from(report::EXIT_INVALID)), ""));
        assert!(err.contains("2 problems") && err.contains("upload_key: ") && err.contains("upload_spool: "), "{err}");
        assert!(err.contains("openssl rand -base64 32") && !err.contains("hunter2"), "{err}");
    }

    #[test]
    fn check_redacts_client_secrets_and_warns_of_passwords_sent_unencrypted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.toml");
        let check = |listener: &str, flags: &str| {
            std::fs::write(&file, format!("[[listener]]\n{listener}")).unwrap();
            run_line(&format!("regpass check{flags} --config {}", file.display()), &[("TOKEN", "hunter2")])
        };
        let (code, out, err) =
            check("address = 'unix:/r.sock'\nmode = '660'\nuids = [1]\nclients = { bearer = 'hunter2' }", "");
        assert_eq!((code, err.as_str()), (Some(ExitCode::SUCCESS), ""));
        let keys = "address = \"unix:/r.sock\"\nmode = \"0660\"\nuids = [1]\nclients = { bearer = \"[redacted]\" }\n";
        assert!(out.contains(keys) && !out.contains("hunter2"), "{out}");

        let (code, out, err) = check("address = '0.0.0.0:1'\nclients = { bearer = { env = 'TOKEN' } }", "");
        assert!(code == Some(ExitCode::SUCCESS) && out.contains("clients = { bearer = { env = \"TOKEN\" } }"), "{out}");
        let warning = format!("regpass: warning: {}: listener.clients: clients of 0.0.0.0:1 send", file.display());
        assert!(err.starts_with(&warning) && err.contains("add tls") && !err.contains("hunter2"), "{err}");
        let (_, _, err) = check("address = '0.0.0.0:1'\nclients = { bearer = 'hunter2' }", " --log json");
        let line: serde_json::Value = serde_json::from_str(&err).unwrap();
        assert_eq!((&line["level"], &line["key"]), (&"WARN".into(), &"listener.clients".into()));

        std::fs::write(folder.path().join("users"), "alice:$apr1$hunter2").unwrap();
        let (code, _, err) = check(
            "address = 'localhost:1'\nclients = { htpasswd = 'users' }\ntls = { certificate = 'c', key = 'k' }",
            "",
        );
        assert_eq!(code, Some(ExitCode::from(report::EXIT_INVALID)));
        assert!(err.starts_with("regpass: 2 problems") && err.contains("line 1: the password of 'alice'"), "{err}");
        assert!(err.contains("listener.tls: ") && !err.contains("hunter2"), "{err}");
    }

    #[test]
    fn problems_go_to_stderr_in_the_log_format() {
        let (code, out, err) = run_line("regpass check --listen 5050", &[("REGPASS_ADMIN", "x")]);
        assert_eq!((code, out.as_str()), (Some(ExitCode::from(2)), ""));
        assert!(err.starts_with("regpass: 2 problems in the configuration\n--listen: "), "{err}");

        let variables = [("REGPASS_LOG_FORMAT", "json"), ("REGPASS_ADMIN", "x")];
        let (code, out, err) = run_line("regpass serve --listen 5050", &variables);
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
    fn invalid_command_line_exits_with_2_in_either_log_format() {
        for line in ["regpass --lisen x", "regpass fly", "regpass --log yaml", "regpass serve extra"] {
            let (code, out, err) = run_line(line, &[]);
            assert_eq!((code, out.as_str()), (Some(ExitCode::from(2)), ""), "{line}");
            assert!(err.starts_with("error: "), "{line}: {err}");
        }
        for (line, variables) in
            [("regpass --log json fly", &[][..]), ("regpass fly", &[("REGPASS_LOG_FORMAT", "json")])]
        {
            let (code, _, err) = run_line(line, variables);
            assert_eq!((code, err.lines().count()), (Some(ExitCode::from(2)), 1), "{err}");
            assert!(serde_json::from_str::<serde_json::Value>(&err).is_ok(), "{err}");
        }
    }

    #[test]
    fn invalid_log_format_is_reported_with_all_other_problems() {
        let variables = [("REGPASS_LOG_FORMAT", "yaml"), ("REGPASS_ALLOW", "x")];
        let (code, _, err) = run_line("regpass", &variables);
        assert!(
            code == Some(ExitCode::from(2)) && err.contains("REGPASS_LOG_FORMAT: ") && err.contains("REGPASS_ALLOW: "),
            "{err}"
        );
        assert_eq!(run_line("regpass --log text", &variables[..1]).0, None, "the flag overrides the variable");
    }

    #[test]
    fn help_and_version_go_to_stdout() {
        for line in ["regpass --help", "regpass check --help", "regpass setup --help", "regpass --version"] {
            let (code, out, err) = run_line(line, &[]);
            assert!(code == Some(ExitCode::SUCCESS) && !out.is_empty() && err.is_empty(), "{line}");
        }
        let (_, help, _) = run_line("regpass --help", &[]);
        for command in ["serve", "check", "setup", "health", "completions", "man"] {
            assert!(help.contains(&format!("\n  {command} ")), "{command} is not in {help}");
        }
    }
}

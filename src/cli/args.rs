//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::overrides::{DockerCredentials, Overrides};
use crate::observe::log::LogFormat;
use crate::setup::Client;
use crate::setup::version::ClientVersion;

/// A local authenticating reverse proxy for OCI registries
///
/// Clients send plain requests without credentials; regpass authenticates to the registries for them.
#[derive(Debug, Parser)]
#[command(name = "regpass", version, disable_help_subcommand = true)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) flags: Flags,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Subcommand)]
pub(super) enum Command {
    /// Run the proxy (the default)
    #[default]
    Serve,
    /// Print the effective configuration, secrets redacted, or every problem in it
    Check(Check),
    /// Print the configuration a client needs to use this proxy, or write it to the client's files
    Setup(Setup),
    /// Check the health of the running proxy; the exit code is 0 if it is healthy
    Health,
    /// Print completions for a shell
    Completions { shell: Shell },
    /// Print the manual page
    Man,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Check {
    /// Print the hosts and ports that each registry needs instead, for the rules of a firewall
    #[arg(long)]
    pub(super) egress: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Setup {
    pub(super) client: Client,
    /// Registry hosts or aliases [default: every configured and well-known registry]
    #[arg(value_name = "REGISTRY", conflicts_with = "undo")]
    pub(super) registries: Vec<String>,
    /// Merge the configuration into the client's files, keeping their other content
    #[arg(long, conflicts_with = "undo")]
    pub(super) write: bool,
    /// Remove what --write added
    #[arg(long)]
    pub(super) undo: bool,
    /// The client's configuration file or folder, if it is not at the default path
    #[arg(long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
    /// Version of the client, such as 29.1, if it is not the one installed on this machine
    #[arg(long, value_name = "VERSION")]
    pub(super) client_version: Option<ClientVersion>,
    /// Root folder of the system to configure, such as an image or another machine's disk
    #[arg(long, value_name = "FOLDER", conflicts_with = "file")]
    pub(super) root: Option<PathBuf>,
}

// Help only mentions the variables. The configuration reads them: it treats an empty one as unset and reports an
// invalid one by name.
#[expect(clippy::doc_markdown, reason = "the comments are help texts, where backticks would show")]
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Configuration file [variable: REGPASS_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on, instead of the configured ones; may be repeated [variable: REGPASS_LISTEN]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Address of the admin listener [variable: REGPASS_ADMIN]
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin: Option<String>,
    /// Serve only this registry [variable: REGPASS_REGISTRY]
    #[arg(long, global = true, value_name = "HOST")]
    registry: Option<String>,
    /// Actions allowed at registries without an allow list of their own: pull,push,delete [variable: REGPASS_ALLOW]
    #[arg(long, global = true, value_name = "ACTIONS")]
    allow: Option<String>,
    /// Use the credentials and helpers in docker's or podman's config.json, at PATH or the default paths [variable: REGPASS_DOCKER_CREDENTIALS]
    #[arg(long, global = true, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    docker_credentials: Option<PathBuf>,
    /// Let other machines use listeners without authentication [variable: REGPASS_INSECURE_OPEN=1]
    #[arg(long, global = true)]
    insecure_open: bool,
    /// Log format [variable: REGPASS_LOG_FORMAT] [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(super) log: Option<LogFormat>,
}

impl CommandLine {
    pub(super) fn parse_from(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let commands = Self::command();
        let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
        Self::try_parse_from(command_first(bind_docker_credentials(args, &names), &commands))
    }
}

impl Flags {
    pub(super) fn overrides(self) -> Overrides {
        let docker_credentials = self.docker_credentials.map(|path| match path.to_str() {
            Some("1") => DockerCredentials::DefaultPaths,
            _ => DockerCredentials::File(path),
        });
        Overrides {
            config: self.config,
            listen: self.listen,
            admin: self.admin,
            registry: self.registry,
            allow: self.allow,
            docker_credentials,
            insecure_open: self.insecure_open,
        }
    }
}

/// Joins the optional value of `--docker-credentials` to its flag, because clap cannot tell a value from a command:
/// `--docker-credentials a.json serve` becomes `--docker-credentials=a.json serve`; `--docker-credentials serve` stays
/// as it is.
fn bind_docker_credentials(args: impl IntoIterator<Item = OsString>, commands: &[&str]) -> Vec<OsString> {
    const FLAG: &str = "--docker-credentials";
    let is_value = |arg: &OsStr| {
        !arg.is_empty() && !arg.as_encoded_bytes().starts_with(b"-") && !commands.iter().any(|command| *command == arg)
    };
    let mut bound = Vec::new();
    let mut args = args.into_iter().peekable();
    while let Some(mut arg) = args.next() {
        if arg == "--" {
            bound.push(arg);
            break;
        }
        if arg == FLAG
            && let Some(value) = args.next_if(|next| is_value(next))
        {
            arg.push("=");
            arg.push(value);
        }
        bound.push(arg);
    }
    bound.extend(args);
    bound
}

/// Moves the command before the flags. When a flag is given on both sides of the command, clap keeps one side only: for
/// `--listen A serve --listen B` it would silently drop A.
fn command_first(mut args: Vec<OsString>, commands: &clap::Command) -> Vec<OsString> {
    let takes_value = |arg: &OsStr| {
        let name = arg.to_str().and_then(|arg| arg.strip_prefix("--"));
        let flag = name.and_then(|name| commands.get_arguments().find(|flag| flag.get_long() == Some(name)));
        flag.is_some_and(|flag| flag.get_action().takes_values() && !flag.is_require_equals_set())
    };
    let mut index = 1;
    while let Some(arg) = args.get(index).filter(|arg| arg.as_encoded_bytes().starts_with(b"-") && *arg != "--") {
        index += if takes_value(arg) { 2 } else { 1 };
    }
    if args.get(index).is_some_and(|arg| commands.get_subcommands().any(|command| command.get_name() == arg)) {
        let command = args.remove(index);
        args.insert(1, command);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn docker_credentials_takes_a_path_but_not_a_command() {
        for (line, bound) in [
            ("regpass", "regpass"),
            ("regpass --docker-credentials", "regpass --docker-credentials"),
            ("regpass --docker-credentials serve", "regpass --docker-credentials serve"),
            ("regpass --docker-credentials a.json serve", "regpass --docker-credentials=a.json serve"),
            ("regpass check --docker-credentials ./serve", "regpass check --docker-credentials=./serve"),
            ("regpass --docker-credentials=serve check", "regpass --docker-credentials=serve check"),
            ("regpass --docker-credentials --log json", "regpass --docker-credentials --log json"),
            ("regpass -- --docker-credentials a", "regpass -- --docker-credentials a"),
        ] {
            assert_eq!(bind_docker_credentials(split_args(line), &["serve", "check"]), split_args(bound), "{line}");
        }
    }

    #[test]
    fn flags_are_accepted_before_and_after_the_command() {
        for line in [
            "regpass --config a.toml --allow pull,push --docker-credentials check --log json",
            "regpass check --log=json --docker-credentials --allow pull,push --config a.toml",
        ] {
            let command_line = CommandLine::parse_from(split_args(line)).unwrap();
            assert_eq!(command_line.command, Some(Command::Check(Check { egress: false })), "{line}");
            assert_eq!(command_line.flags.log, Some(LogFormat::Json), "{line}");
            let expected = Overrides {
                config: Some("a.toml".into()),
                allow: Some("pull,push".to_owned()),
                docker_credentials: Some(DockerCredentials::DefaultPaths),
                ..Overrides::default()
            };
            assert_eq!(command_line.flags.overrides(), expected, "{line}");
        }
    }

    #[test]
    fn flags_on_both_sides_of_the_command_are_combined() {
        let line = "regpass --docker-credentials --listen 127.0.0.1:1 --log=json check --listen 127.0.0.1:2";
        let command_line = CommandLine::parse_from(split_args(line)).unwrap();
        assert_eq!(command_line.command, Some(Command::Check(Check { egress: false })));
        assert_eq!(command_line.flags.overrides().listen, ["127.0.0.1:1", "127.0.0.1:2"]);
        let repeated = CommandLine::parse_from(split_args("regpass --allow pull check --allow push"));
        assert!(repeated.is_err(), "a flag that is not repeatable is rejected when it is on both sides of the command");
        let named = CommandLine::parse_from(split_args("regpass --config serve check --insecure-open")).unwrap();
        assert_eq!(named.command, Some(Command::Check(Check { egress: false })));
        assert_eq!(named.flags.overrides().config, Some("serve".into()));
    }

    #[test]
    fn listen_is_repeatable_and_docker_credentials_take_a_path() {
        let line = "regpass --listen 127.0.0.1:1 --listen [::1]:1 --docker-credentials /c.json --insecure-open serve";
        let overrides = CommandLine::parse_from(split_args(line)).unwrap().flags.overrides();
        assert_eq!(overrides.listen, ["127.0.0.1:1", "[::1]:1"]);
        assert_eq!(overrides.docker_credentials, Some(DockerCredentials::File("/c.json".into())));
        assert!(overrides.insecure_open);
    }

    #[test]
    fn command_line_definition_is_valid() {
        CommandLine::command().debug_assert();
    }
}

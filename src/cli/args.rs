//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::overrides::{DockerCredentials, Overrides};
use crate::observe::log::LogFormat;
use crate::setup::Client;

/// A local authenticating reverse proxy for OCI registries
///
/// Plain clients talk to it without credentials; it logs in to the registries for them.
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
    /// Print the configuration in force, secrets redacted, or everything that is wrong with it
    Check,
    /// Print what a client needs to pull through this proxy, or write it into the client's files
    Setup(Setup),
    /// Ask the running proxy whether it is well; the exit code says it
    Health,
    /// Print completions for a shell
    Completions { shell: Shell },
    /// Print the manual page
    Man,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Setup {
    pub(super) client: Client,
    /// Hosts or aliases; every registry that is configured or well-known without any
    #[arg(value_name = "REGISTRY", conflicts_with = "undo")]
    pub(super) registries: Vec<String>,
    /// Merge it into the client's files, and keep what is there
    #[arg(long, conflicts_with = "undo")]
    pub(super) write: bool,
    /// Take back what --write wrote
    #[arg(long)]
    pub(super) undo: bool,
    /// The client's file, or folder of files, when it is not in its usual place
    #[arg(long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
    /// Where the system is whose client is meant: an image, another machine's disk
    #[arg(long, value_name = "FOLDER", conflicts_with = "file")]
    pub(super) root: Option<PathBuf>,
}

// The variables are read by the configuration, which treats an empty one as unset and names a bad one; help only
// mentions them.
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
    /// Serve this one registry [variable: REGPASS_REGISTRY]
    #[arg(long, global = true, value_name = "HOST")]
    registry: Option<String>,
    /// What registries may be asked to do unless they say otherwise: pull,push,delete [variable: REGPASS_ALLOW]
    #[arg(long, global = true, value_name = "ACTIONS")]
    allow: Option<String>,
    /// Use docker's or podman's logins and helpers, from PATH or the usual places [variable: REGPASS_DOCKER_CREDENTIALS]
    #[arg(long, global = true, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    docker_credentials: Option<PathBuf>,
    /// Let other machines reach listeners without logging in [variable: REGPASS_INSECURE_OPEN=1]
    #[arg(long, global = true)]
    insecure_open: bool,
    /// Format of the log [variable: REGPASS_LOG_FORMAT] [default: text]
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
            Some("1") => DockerCredentials::UsualPlaces,
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

/// Ties the optional value of `--docker-credentials` to its flag, since clap would take a command for it:
/// `--docker-credentials a.json serve` becomes `--docker-credentials=a.json serve`, `--docker-credentials serve` stays.
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

/// Moves the command before the flags. clap keeps one side only of a flag that stands on both sides of the command:
/// of `--listen A serve --listen B`, A would be lost without a word.
fn command_first(mut args: Vec<OsString>, commands: &clap::Command) -> Vec<OsString> {
    let takes_next = |arg: &OsStr| {
        let name = arg.to_str().and_then(|arg| arg.strip_prefix("--"));
        let known = name.and_then(|name| commands.get_arguments().find(|known| known.get_long() == Some(name)));
        known.is_some_and(|known| known.get_action().takes_values() && !known.is_require_equals_set())
    };
    let mut at = 1;
    while let Some(arg) = args.get(at).filter(|arg| arg.as_encoded_bytes().starts_with(b"-") && *arg != "--") {
        at += if takes_next(arg) { 2 } else { 1 };
    }
    if args.get(at).is_some_and(|arg| commands.get_subcommands().any(|command| command.get_name() == arg)) {
        let command = args.remove(at);
        args.insert(1, command);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn docker_credentials_takes_a_path_but_no_command() {
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
            assert_eq!(bind_docker_credentials(words(line), &["serve", "check"]), words(bound), "{line}");
        }
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        for line in [
            "regpass --config a.toml --allow pull,push --docker-credentials check --log json",
            "regpass check --log=json --docker-credentials --allow pull,push --config a.toml",
        ] {
            let command_line = CommandLine::parse_from(words(line)).unwrap();
            assert_eq!(command_line.command, Some(Command::Check), "{line}");
            assert_eq!(command_line.flags.log, Some(LogFormat::Json), "{line}");
            let expected = Overrides {
                config: Some("a.toml".into()),
                allow: Some("pull,push".to_owned()),
                docker_credentials: Some(DockerCredentials::UsualPlaces),
                ..Overrides::default()
            };
            assert_eq!(command_line.flags.overrides(), expected, "{line}");
        }
    }

    #[test]
    fn flags_on_both_sides_of_the_command_count_together() {
        let line = "regpass --docker-credentials --listen 127.0.0.1:1 --log=json check --listen 127.0.0.1:2";
        let command_line = CommandLine::parse_from(words(line)).unwrap();
        assert_eq!(command_line.command, Some(Command::Check));
        assert_eq!(command_line.flags.overrides().listen, ["127.0.0.1:1", "127.0.0.1:2"]);
        let twice = CommandLine::parse_from(words("regpass --allow pull check --allow push"));
        assert!(twice.is_err(), "a flag that does not repeat is refused on both sides as on one");
        let named = CommandLine::parse_from(words("regpass --config serve check --insecure-open")).unwrap();
        assert_eq!(named.command, Some(Command::Check));
        assert_eq!(named.flags.overrides().config, Some("serve".into()));
    }

    #[test]
    fn listen_repeats_and_docker_credentials_take_a_path() {
        let line = "regpass --listen 127.0.0.1:1 --listen [::1]:1 --docker-credentials /c.json --insecure-open serve";
        let overrides = CommandLine::parse_from(words(line)).unwrap().flags.overrides();
        assert_eq!(overrides.listen, ["127.0.0.1:1", "[::1]:1"]);
        assert_eq!(overrides.docker_credentials, Some(DockerCredentials::File("/c.json".into())));
        assert!(overrides.insecure_open);
    }

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }
}

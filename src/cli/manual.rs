//! `regpass completions` and `regpass man`: the shell completions and the manual page.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};

use super::args::CommandLine;

pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "regpass", &mut script);
    out.write_all(&script)
}

/// Writes the manual page in roff's `man` macros.
pub(super) fn page(out: &mut dyn Write) -> io::Result<()> {
    let mut commands = CommandLine::command();
    commands.build();
    let man = Man::new(commands.clone()).title("REGPASS").section("1").manual("User commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    commands_section(&commands).to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    further_sections().to_writer(&mut page)?;
    out.write_all(&page)
}

/// The section on the commands and their arguments. The commands have no manual pages of their own.
fn commands_section(commands: &clap::Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for command in commands.get_subcommands() {
        roff.control("TP", []);
        roff.text([bold(format!("regpass {}", usage(command)))]);
        roff.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
        let arguments =
            command.get_arguments().filter(|argument| !argument.is_global_set() && argument.get_id() != "help");
        for argument in arguments {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let values: Vec<String> =
                argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
            let values = if values.is_empty() || help.is_empty() && !argument.is_positional() {
                String::new()
            } else {
                format!("one of {}", values.join(", "))
            };
            let text = [help, values].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
            roff.control("IP", []);
            roff.text([bold(argument.to_string()), roman(format!("  {text}"))]);
        }
    }
    roff
}

/// A command's name with its positional arguments.
fn usage(command: &clap::Command) -> String {
    let positional = command.get_positionals().map(|argument| format!(" {argument}"));
    command.get_name().to_owned() + &positional.collect::<String>()
}

fn further_sections() -> Roff {
    let mut roff = Roff::new();
    for (title, entries) in SECTIONS {
        roff.control("SH", [*title]);
        for (name, text) in *entries {
            roff.control("TP", []);
            let name: Vec<Inline> = vec![bold(*name)];
            roff.text(name);
            roff.text([roman(*text)]);
        }
    }
    roff
}

type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: &[Section] = &[
    (
        "VARIABLES",
        &[
            (
                "REGPASS_CONFIG, REGPASS_LISTEN, REGPASS_ADMIN, REGPASS_REGISTRY, REGPASS_ALLOW",
                "The same as the flags of these names. A flag overrides its variable, a variable overrides the file. Addresses in REGPASS_LISTEN are separated by commas.",
            ),
            (
                "REGPASS_DOCKER_CREDENTIALS",
                "1 to use docker's and podman's credentials from the default paths, or the path of a config.json.",
            ),
            ("REGPASS_INSECURE_OPEN", "1 lets other machines use listeners without authentication."),
            ("REGPASS_LOG_FORMAT", "text or json."),
            ("RUST_LOG", "Log level or filter: info, debug, regpass=debug."),
            ("SSL_CERT_FILE", "A PEM file of certificate authorities to trust instead of the system's."),
        ],
    ),
    (
        "FILES",
        &[
            (
                "$XDG_CONFIG_HOME/regpass/config.toml, /etc/regpass/config.toml",
                "The configuration file, if neither --config nor REGPASS_CONFIG names one: the first of these that exists. Without a file, regpass listens on 127.0.0.1:5050 and [::1]:5050 and allows anonymous pulls from public registries. A changed file is loaded within seconds; if it is invalid, the previous configuration stays active.",
            ),
            (
                "~/.docker/config.json, $XDG_RUNTIME_DIR/containers/auth.json",
                "Credentials of docker and podman, read only if --docker-credentials or a credential source asks for them.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            (
                "SIGTERM, SIGINT",
                "Stop accepting connections, wait up to 30 seconds for open requests, and exit. A second signal exits at once.",
            ),
            ("SIGHUP", "Reload the configuration. Open connections are kept."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Success; for health, the running proxy is healthy."),
            (
                "1",
                "Failure: an address is already in use, a file cannot be read, parsed or written, or the running proxy is not healthy.",
            ),
            ("2", "The command line or the configuration is invalid; stderr lists every problem."),
        ],
    ),
];

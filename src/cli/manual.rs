//! `regpass completions` and `regpass man`.

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

/// The manual page in the `man` macros of roff.
pub(super) fn page(out: &mut dyn Write) -> io::Result<()> {
    let mut commands = CommandLine::command();
    commands.build();
    let man = Man::new(commands.clone()).title("REGPASS").section("1").manual("User commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    sections(&commands).to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    further_sections().to_writer(&mut page)?;
    out.write_all(&page)
}

/// Each command with its arguments: there are no pages of their own.
fn sections(commands: &clap::Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for command in commands.get_subcommands() {
        roff.control("TP", []);
        roff.text([bold(format!("regpass {}", usage(command)))]);
        roff.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
        let own = command.get_arguments().filter(|argument| !argument.is_global_set() && argument.get_id() != "help");
        for argument in own {
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

/// A command with what may follow it, flags of all commands apart.
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
                "Stand for the flags of these names; a flag beats its variable, a variable beats the file. Addresses of REGPASS_LISTEN are separated by commas.",
            ),
            (
                "REGPASS_DOCKER_CREDENTIALS",
                "1 for docker's and podman's logins in the usual places, or the path of a config.json.",
            ),
            ("REGPASS_INSECURE_OPEN", "1 lets other machines reach listeners without logging in."),
            ("REGPASS_LOG_FORMAT", "text or json."),
            ("RUST_LOG", "Which lines are logged: info, debug, regpass=debug."),
            ("SSL_CERT_FILE", "Roots to trust instead of the system's."),
        ],
    ),
    (
        "FILES",
        &[
            (
                "$XDG_CONFIG_HOME/regpass/config.toml, /etc/regpass/config.toml",
                "The configuration, where neither --config nor REGPASS_CONFIG names one: the first that is there. Without any, regpass listens on 127.0.0.1:5050 and [::1]:5050 and serves public registries anonymously, for pulls. A changed file is in force within seconds; a bad one leaves the one before in force.",
            ),
            (
                "~/.docker/config.json, $XDG_RUNTIME_DIR/containers/auth.json",
                "Logins of docker and podman, when they are asked for.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            ("SIGTERM, SIGINT", "No new connections; open requests may finish. A second one ends regpass at once."),
            ("SIGHUP", "Reads the configuration again. Nothing is dropped."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "It is done; the running proxy is well."),
            (
                "1",
                "It could not be done: an address is taken, a file cannot be written or understood, the running proxy is not well.",
            ),
            ("2", "The command line or the configuration is wrong; stderr says all that is."),
        ],
    ),
];

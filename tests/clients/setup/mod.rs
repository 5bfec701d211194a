//! Clients read the configuration that `regpass setup` wrote for them. They then pull by the registries' own names, although
//! they cannot reach the registries without regpass. `--undo` restores the files.

mod completions_and_man;
mod containerd;
mod docker;
mod health;
mod registries_conf;

use std::fs;
use std::path::Path;
use std::process::Output;

use tokio::process::Command;

use crate::process::{output, program, unchecked_output};
use crate::stack::Stack;

/// Writes a client's configuration file, runs `steps` with it, and undoes the change. The file may exist before. The first
/// argument is the client.
async fn assert_written_and_undone(stack: &Stack, arguments: &[&str], file: &Path, steps: impl AsyncFnOnce()) {
    let before = fs::read_to_string(file).ok();
    let [client, ..] = arguments else { panic!("no client in the arguments") };
    let written = output(setup(stack, arguments).arg("--write").arg("--file").arg(file)).await;
    let again = output(setup(stack, arguments).arg("--write").arg("--file").arg(file)).await;
    assert!(text(&written.stdout).lines().all(|line| line.starts_with("wrote ")), "{written:?}");
    assert!(text(&again.stdout).lines().all(|line| line.starts_with("unchanged ")), "{again:?}");
    assert!(text(&written.stderr).contains("restart"), "{written:?}");
    steps().await;

    output(setup(stack, &[client]).arg("--undo").arg("--file").arg(file)).await;
    assert_eq!(fs::read_to_string(file).ok(), before);
}

/// `regpass setup` for the regpass that is running.
fn setup(stack: &Stack, arguments: &[&str]) -> Command {
    let mut command = regpass(stack);
    command.arg("setup").args(arguments);
    command
}

/// A second process with the configuration of the running one, but with the actual port.
fn regpass(stack: &Stack) -> Command {
    let file = stack.home().join("regpass.toml");
    fs::write(&file, &stack.config).expect("regpass.toml is written");
    let mut command = program(env!("CARGO_BIN_EXE_regpass"), stack.home());
    command.arg("--config").arg(file).arg("--listen").arg(stack.regpass.address.to_string());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// The exit code and stderr of a command that may fail.
async fn code_and_stderr(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = unchecked_output(command).await;
    (status.code(), text(&stderr).to_owned())
}

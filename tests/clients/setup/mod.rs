//! Clients that read what `regpass setup` wrote pull by the names of the registries, which are not there: they need a
//! login, or are in no network. What was in the files before is there again when it is undone.

mod containerd;
mod containers;
mod docker;
mod health;
mod pages;

use std::fs;
use std::path::Path;
use std::process::Output;

use tokio::process::Command;

use crate::process::{ended, output, plain};
use crate::scene::Scene;

/// Writes `file`, which may have something in it, for one client, and lets it be used; then takes it back.
async fn wrote_and_took_back(scene: &Scene, words: &[&str], file: &Path, used: impl AsyncFnOnce()) {
    let before = fs::read_to_string(file).ok();
    let [client, ..] = words else { panic!("a client") };
    let written = output(setup(scene, words).arg("--write").arg("--file").arg(file)).await;
    let again = output(setup(scene, words).arg("--write").arg("--file").arg(file)).await;
    assert!(told(&written.stdout).lines().all(|line| line.starts_with("wrote ")), "{written:?}");
    assert!(told(&again.stdout).lines().all(|line| line.starts_with("unchanged ")), "{again:?}");
    assert!(told(&written.stderr).contains("restart"), "{written:?}");
    used().await;

    output(setup(scene, &[client]).arg("--undo").arg("--file").arg(file)).await;
    assert_eq!(fs::read_to_string(file).ok(), before);
}

/// For the regpass that is running.
fn setup(scene: &Scene, words: &[&str]) -> Command {
    let mut command = regpass(scene);
    command.arg("setup").args(words);
    command
}

/// A second process with the same configuration, in which the port is written out.
fn regpass(scene: &Scene) -> Command {
    let file = scene.home().join("regpass.toml");
    fs::write(&file, &scene.config).expect("regpass.toml");
    let mut command = plain(env!("CARGO_BIN_EXE_regpass"), scene.home());
    command.arg("--config").arg(file).arg("--listen").arg(scene.regpass.address.to_string());
    command
}

fn told(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A command that does not succeed.
async fn fails(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = ended(command).await;
    (status.code(), told(&stderr).to_owned())
}

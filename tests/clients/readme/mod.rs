//! Runs every command in README.md as written, in the order of the page, in the sandbox.
//!
//! Docker Hub and GHCR are Debian's `docker-registry` with a password that only regpass knows: a client that gets an image
//! has got it through regpass. Every file that the page shows is written to the path that the page names, and used.

mod blocks;
mod command_checks;
mod push_checks;
mod readme_registry;
mod walkthrough;

use std::fs;
use std::io::Write;
use std::path::Path;

use self::blocks::{Block, blocks, code_spans, prose};
use self::walkthrough::Walkthrough;
use crate::sandbox;

const TEST_NAME: &str = "readme::every_command_works_as_written";

/// Commands in the prose. The second one is run by the suite `examples` of `tests/run`.
const COMMANDS_IN_PROSE: [&str; 2] = [walkthrough::WITH_DOCKER_CREDENTIALS, "cargo run --example offline"];

#[tokio::test]
async fn every_command_works_as_written() {
    if !sandbox::is_inside() {
        return sandbox::run_test(TEST_NAME).await;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("README.md")).expect("README.md");
    assert_prose_has_no_other_command(&page);
    let suites = fs::read_to_string(root.join("tests/run")).expect("tests/run");
    assert!(suites.contains("cargo build --locked --examples && cargo run --locked --quiet --example offline"));

    let mut walkthrough = Walkthrough::start().await;
    for block in blocks(&page) {
        progress(&format!("README.md:{}: {}", block.line, block.language));
        match &*block.language {
            "console" => run_first_commands(&mut walkthrough, &block).await,
            "sh" => {
                for command in block.commands() {
                    walkthrough.run(command).await;
                }
            }
            "toml" | "json" => walkthrough.write(&block).await,
            other => panic!("README.md:{}: this test cannot run a block of {other:?}", block.line),
        }
    }
    walkthrough.finish();
}

/// Does not run the two commands themselves: the first builds and starts the binary that this test uses, the second runs
/// this test. Instead it starts the binary as `cargo run` does, without arguments, configuration and network.
async fn run_first_commands(walkthrough: &mut Walkthrough, block: &Block) {
    assert_eq!(block.commands(), ["cargo run --release", "tests/run"], "README.md:{}", block.line);
    walkthrough.start_without_configuration().await;
}

/// Prints a line of progress to stderr, for the output of a failed run.
fn progress(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

fn assert_prose_has_no_other_command(page: &str) {
    const PROGRAMS: [&str; 9] =
        ["buildah", "cargo", "ctr", "curl", "docker", "podman", "regpass", "skopeo", "tests/run"];
    // The page mentions `docker login` and `podman login` as commands that the reader ran before.
    let is_known = |span: &str| COMMANDS_IN_PROSE.contains(&span) || span.ends_with(" login");
    let prose = prose(page);
    for span in code_spans(&prose) {
        let is_command = span.split_once(' ').is_some_and(|(program, _)| PROGRAMS.contains(&program));
        assert!(!is_command || is_known(span), "`{span}` in the prose of README.md is run by no test");
    }
    for command in COMMANDS_IN_PROSE {
        assert!(code_spans(&prose).contains(&command), "README.md no longer contains `{command}`");
    }
}

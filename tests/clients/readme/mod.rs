//! Every command in README.md, run as it is written, in the order of the page, on a machine where nothing else is.
//!
//! Docker Hub and GHCR are Debian's `docker-registry` with a password that only regpass knows: whoever gets an image
//! has come through it. Every file that the page shows is written where the page says, and used.

mod claims;
mod page;
mod pushes;
mod reader;
mod remote;

use std::fs;
use std::io::Write;
use std::path::Path;

use self::page::{Block, blocks, prose, spans};
use self::reader::Reader;
use crate::machine;

const THIS: &str = "readme::every_command_works_as_written";

/// Commands in the prose. The second one is run by the suite `examples` of `tests/run`.
const IN_PROSE: [&str; 2] = [reader::WITH_LOGINS, "cargo run --example offline"];

#[tokio::test]
async fn every_command_works_as_written() {
    if !machine::is_here() {
        return machine::run(THIS).await;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("README.md")).expect("README.md");
    prose_holds_no_other_command(&page);
    let suites = fs::read_to_string(root.join("tests/run")).expect("tests/run");
    assert!(suites.contains("cargo build --locked --examples && cargo run --locked --quiet --example offline"));

    let mut reader = Reader::new().await;
    for block in blocks(&page) {
        say(&format!("README.md:{}: {}", block.line, block.language));
        match &*block.language {
            "console" => two_commands(&mut reader, &block).await,
            "sh" => {
                for command in block.commands() {
                    reader.runs(command).await;
                }
            }
            "toml" | "json" => reader.writes(&block).await,
            other => panic!("README.md:{}: a block of {other:?}, which this test cannot try", block.line),
        }
    }
    reader.leaves();
}

/// Neither is run here: the first builds and starts the binary that this test has as well, the second is what runs this
/// test. So the binary is started as `cargo run` would: without arguments, configuration and network.
async fn two_commands(reader: &mut Reader, block: &Block) {
    assert_eq!(block.commands(), ["cargo run --release", "tests/run"], "README.md:{}", block.line);
    reader.starts_without_anything().await;
}

/// How far it got, for whoever reads the output of a failed run.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

fn prose_holds_no_other_command(page: &str) {
    const PROGRAMS: [&str; 9] =
        ["buildah", "cargo", "ctr", "curl", "docker", "podman", "regpass", "skopeo", "tests/run"];
    // `docker login` and `podman login` are what the reader did long before.
    let known = |span: &str| IN_PROSE.contains(&span) || span.ends_with(" login");
    let prose = prose(page);
    for span in spans(&prose) {
        let is_command = span.split_once(' ').is_some_and(|(program, _)| PROGRAMS.contains(&program));
        assert!(!is_command || known(span), "`{span}` in the prose of README.md is run by no test");
    }
    for command in IN_PROSE {
        assert!(spans(&prose).contains(&command), "README.md no longer says `{command}`");
    }
}

//! The regpass binary: handles the command line, then serves or exits.

use std::io;
use std::process::ExitCode;

use regpass::cli::{self, Next, Serve};
use regpass::config::Variables;
use regpass::{observe, serve};

fn main() -> ExitCode {
    let next = cli::run(std::env::args_os(), Variables::process(), &mut io::stdout(), &mut io::stderr());
    match next {
        Next::Exit(code) => code,
        Next::Serve(next) => {
            observe::log::install(next.log, std::env::var("RUST_LOG").ok().as_deref());
            let Serve { overrides, loaded, files, .. } = *next;
            serve::run(overrides, loaded, files)
        }
    }
}

use std::io;
use std::process::ExitCode;

use regpass::cli::{self, Next};
use regpass::config::Environment;

fn main() -> ExitCode {
    let next = cli::run(std::env::args_os(), Environment::process(), &mut io::stdout(), &mut io::stderr());
    match next {
        Next::Exit(code) => code,
        // crate::serve::run(serve) stands here once there is a serve floor.
        Next::Serve(_) => ExitCode::FAILURE,
    }
}

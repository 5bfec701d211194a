//! The command line: parses arguments, runs the commands, and reports results and problems.

mod args;
mod client_file;
mod client_version;
mod egress;
mod health;
mod manual;
mod report;
mod run;
mod setup;

pub use run::{Next, Serve, run};

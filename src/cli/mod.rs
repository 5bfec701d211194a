//! Words on the command line: what was asked for, and how its outcome is told.

mod args;
mod report;
mod run;

pub use run::{Next, Serve, run};

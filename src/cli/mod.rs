//! Words on the command line: what was asked for, and how its outcome is told.

mod args;
mod health;
mod manual;
mod replace;
mod report;
mod run;
mod setup;

pub use run::{Next, Serve, run};

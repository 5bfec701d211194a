//! Wires everything and runs it: the only place that sees all floors.

pub mod build;
mod run;
mod signals;

pub use run::run;

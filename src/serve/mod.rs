//! Wires everything and runs it: the only place that sees all floors.

pub mod build;
pub mod files;
mod listeners;
pub mod load;
mod notify;
mod reload;
mod run;
mod signals;
mod sockets;

pub use run::run;

//! Wires everything and runs it: the only place that sees all floors.

pub mod build;
pub mod doors;
pub mod files;
pub mod followed;
pub mod listeners;
pub mod load;
mod notify;
mod reload;
mod run;
mod signals;
pub mod sockets;

pub use run::run;

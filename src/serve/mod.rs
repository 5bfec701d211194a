//! Builds the process from a configuration and runs it: binds, serves, reloads and drains.

pub mod build;
pub mod file_digests;
pub mod listener_files;
pub mod listeners;
pub mod load;
mod notify;
mod reload;
mod run;
mod signals;
pub mod sockets;
pub mod watched_files;

pub use run::run;

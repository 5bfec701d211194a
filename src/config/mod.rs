//! The configuration: parses file, flags and environment variables into values. It reads the configuration file only:
//! no secret files, and it opens no sockets and runs no credential helpers.

pub mod cloud;
pub mod hub_remote;
pub mod load;
pub mod model;
pub mod overrides;
pub mod patterns;
pub mod problem;
pub mod render;
pub mod trusted_host;

mod address;
mod decode;
mod values;
mod variables;

pub use load::{load, load_and_build};
pub use variables::Variables;

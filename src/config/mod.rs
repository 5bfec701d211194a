//! From a file, flags and variables to values. Reads the file and nothing else: no socket, no helper, no secret file.

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
mod lines;
mod values;
mod variables;

pub use load::{load, load_and};
pub use variables::Variables;

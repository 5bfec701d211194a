//! From a file, flags and variables to values. Reads the file and nothing else: no socket, no helper, no secret file.

pub mod model;
pub mod patterns;

//! Basic types without dependencies on other modules: secrets, origins, clocks, the text of files, leases and
//! their cache.

pub mod client_name;
pub mod clock;
pub mod file_text;
pub mod hex;
pub mod host;
pub mod lease;
pub mod lease_cache;
pub mod origin;
pub mod redaction;
pub mod secret;
pub mod url_escape;
pub mod watched_file;

#[cfg(test)]
pub(crate) mod tests;

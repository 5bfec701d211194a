pub mod base;
pub mod cli;
pub mod config;
pub mod oci;
pub mod profile;

pub mod base;
pub mod config;
pub mod oci;
pub mod profile;

pub mod base;
pub mod config;
pub mod credential;
pub mod oci;
pub mod profile;

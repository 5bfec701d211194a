//! The vocabulary of the distribution API: pure text-to-type and back, no IO.

pub mod challenge;
pub mod chunk;
pub mod error;
pub mod link;
pub mod media;
pub mod name;
pub mod operation;
pub mod path;
pub mod query;
pub mod rate;
pub mod reference;
pub mod scope;
pub mod token;

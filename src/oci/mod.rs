//! Types of the distribution API and how to parse and format them. Pure: no IO.

pub mod access_claim;
pub mod blob_hash;
pub mod byte_range;
pub mod challenge;
pub mod content_range;
pub mod error;
pub mod extension;
pub mod link;
pub mod media;
pub mod name;
pub mod operation;
pub mod path;
pub mod query;
pub mod rate_limit;
pub mod reference;
pub mod referrers;
pub mod scope;
pub mod token;

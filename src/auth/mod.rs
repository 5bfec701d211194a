//! From what a registry demands to what is put into `Authorization`.

pub mod ask;
pub mod authorizer;
mod corrections;
pub mod demand;
pub mod echo;
pub mod error;
pub mod exchange;
pub mod grant;
pub mod held;
mod meeting;
pub mod memory;
mod ping;
pub mod realm;
pub mod scopes;
pub mod tokens;

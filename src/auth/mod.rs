//! From what a registry demands to what is put into `Authorization`.

pub mod authorizer;
pub mod demand;
pub mod echo;
pub mod error;
pub mod exchange;
pub mod grant;
pub mod memory;
pub mod realm;
pub mod scopes;

//! Clouds that lend logins: metadata services, token endpoints, exchanges. Never kinder than the real ones.

mod azure;
mod google;
mod issuer;
mod jwt;

pub use self::azure::{AppService, Azure, Directory, Imds};
pub use self::google::Google;
pub use self::jwt::ServiceKey;

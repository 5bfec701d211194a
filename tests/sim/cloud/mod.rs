//! Clouds as far as a registry's login needs them: they check every signature and hand out logins that end. Never kinder
//! than the real ones.

mod aws;
mod azure;
mod google;
mod issuer;
mod jwt;

pub use self::aws::Aws;
pub use self::azure::{AppService, Azure, Directory, Imds};
pub use self::google::Google;
pub use self::jwt::ServiceKey;

//! The cloud services that issue credentials for a registry. They check every signature, their credentials expire, and they
//! are at least as strict as the real ones.

mod aws;
mod azure;
mod google;
mod issuer;
mod jwt;

pub use self::aws::Aws;
pub use self::azure::{AppService, Azure, Directory, Imds};
pub use self::google::Google;
pub use self::jwt::ServiceKey;
pub(super) use self::jwt::unsigned as unsigned_jwt;

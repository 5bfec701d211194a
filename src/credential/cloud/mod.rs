//! Short-lived registry credentials that a cloud issues to the machine or account regpass runs as.
//!
//! Each cloud implements `CredentialIssuer` in files of its own, with requests sent by [`client::CloudClient`];
//! `leased::LeasedProvider` caches and renews what it issues.

mod answer;
mod azure;
pub mod client;
mod ecr;
mod failure;
mod google;
mod leased;

use std::sync::Arc;

use self::azure::Azure;
use self::client::CloudClient;
use self::ecr::Ecr;
use self::google::Google;
use self::leased::LeasedProvider;
use super::CredentialProvider;
use super::environment::Environment;
use crate::base::clock::WallClock;
use crate::config::cloud::Cloud;

/// What all issuers share: the environment variables, the HTTP client for cloud endpoints, and the clock.
#[derive(Debug)]
pub struct CloudContext {
    pub environment: Environment,
    pub client: CloudClient,
    pub clock: WallClock,
}

pub(super) fn provider(cloud: &Cloud, context: &Arc<CloudContext>) -> Arc<dyn CredentialProvider> {
    let (context, profiles) = (context.clone(), cloud.profiles());
    match cloud {
        Cloud::Azure { tenant, client_id } => {
            Arc::new(LeasedProvider::new(Azure::new(tenant.as_deref(), client_id.as_deref(), context), profiles))
        }
        Cloud::Ecr { region, profile, role } => {
            let settings = ecr::Settings { region: region.clone(), profile: profile.clone(), role: role.clone() };
            Arc::new(LeasedProvider::new(Ecr::new(settings, context), profiles))
        }
        Cloud::Google { key_file } => {
            Arc::new(LeasedProvider::new(Google::new(key_file.as_deref(), context), profiles))
        }
    }
}

//! Logins that a cloud lends for hours: what a cloud is asked, and how its answers are kept.
//!
//! Each cloud is a [`Lender`](leased::Lender) in files of its own; [`leased::Leased`] makes a provider of it, and
//! [`client::Clouds`] speaks to its endpoints.

mod answer;
pub mod client;
mod ecr;
mod failure;
mod google;
mod leased;

use std::sync::Arc;

use self::client::Clouds;
use self::ecr::Ecr;
use self::google::Google;
use self::leased::Leased;
use super::CredentialProvider;
use super::environment::Environment;
use crate::base::clock::WallClock;
use crate::config::cloud::Cloud;

/// What lenders find out about where they run, and speak through.
#[derive(Debug)]
pub struct Surroundings {
    pub environment: Environment,
    pub clouds: Clouds,
    pub clock: WallClock,
}

/// Every environment variable that is looked at here.
pub const VARIABLES: &[&[&str]] = &[ecr::VARIABLES, google::VARIABLES];

pub(super) fn provider(cloud: &Cloud, surroundings: &Arc<Surroundings>) -> Arc<dyn CredentialProvider> {
    match cloud {
        Cloud::Ecr { region, profile, role } => {
            let settings = ecr::Settings { region: region.clone(), profile: profile.clone(), role: role.clone() };
            Arc::new(Leased::new(Ecr::new(settings, surroundings.clone()), cloud.profiles()))
        }
        Cloud::Google => Arc::new(Leased::new(Google::new(surroundings.clone()), cloud.profiles())),
    }
}

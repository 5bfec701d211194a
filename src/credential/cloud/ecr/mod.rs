//! Passwords of Amazon ECR, private and public: a key is found where the vendor's tools find one, takes on a role where
//! one is configured, and signs the question for a password of twelve hours.

mod files;
mod key;
mod outside;
mod password;
mod place;
mod role;
mod signature;
mod signed;
mod told;

use std::sync::Arc;

use self::outside::Outside;
use self::place::Place;
use super::Surroundings;
use super::failure::Failure;
use super::leased::{Lender, Lent};
use crate::base::secret::Secret;
use crate::config::cloud::is_aws_region;
use crate::credential::{CredentialError, Wanted};

/// What the operator said about whose logins.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) region: Option<Box<str>>,
    pub(super) profile: Option<Box<str>>,
    pub(super) role: Option<Box<str>>,
}

#[derive(Debug)]
pub(super) struct Ecr {
    settings: Settings,
    surroundings: Arc<Surroundings>,
}

impl Ecr {
    pub(super) fn new(settings: Settings, surroundings: Arc<Surroundings>) -> Self {
        Self { settings, surroundings }
    }

    /// The service that gives out the registry's passwords.
    fn place(&self, wanted: &Wanted<'_>) -> Result<Place, CredentialError> {
        let region = self.settings.region.as_deref();
        if let Some(place) = Place::named_by(wanted.registry) {
            return Ok(place.with_region(region));
        }
        if wanted.profile == "ecr-public" {
            return Ok(Place::public());
        }
        let variable = |name| self.surroundings.environment.variable(name).map(Secret::expose);
        let region = region.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
        match region {
            Some(region) if is_aws_region(region) => Ok(Place::private(region)),
            Some(_) => Err(CredentialError::new("AWS_REGION is no region; write one like \"eu-west-2\"")),
            None => Err(CredentialError::new(format!(
                "the name {} tells no AWS region; add 'region' to the registry's credential",
                wanted.registry
            ))),
        }
    }
}

impl Lender for Ecr {
    type Key = Place;

    async fn key(&self, wanted: &Wanted<'_>) -> Result<Place, CredentialError> {
        self.place(wanted)
    }

    async fn lend(self: Arc<Self>, place: Place) -> Result<Lent, Failure> {
        let outside = Outside::new(self.surroundings.clone());
        let found = key::find(&outside, &place, self.settings.profile.as_deref()).await?;
        let (key, source) = match &self.settings.role {
            Some(role) => {
                (role::assume(&outside, &place, &found.key, role).await?, format!("{role} by {}", found.source))
            }
            None => (found.key, found.source),
        };
        let (credential, lifetime) = password::ask(&outside, &place, &key).await?;
        Ok(Lent { credential, lifetime, source: format!("AWS ({source})") })
    }
}

/// What of the environment counts here, as the vendor's tools read it.
pub(super) const VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_ECR_PUBLIC",
    "AWS_ENDPOINT_URL_STS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_SSO_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

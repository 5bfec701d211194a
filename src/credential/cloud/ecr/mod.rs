//! Passwords for Amazon ECR, private and public. The issuer finds an AWS access key where AWS's own tools find one,
//! assumes a role if one is configured, and requests a password with a signed request. A password is valid for 12
//! hours.

mod endpoint;
mod key;
mod password;
mod reqsign_context;
mod signed_request;
mod sigv4;

use std::sync::Arc;

use self::endpoint::EcrEndpoint;
use self::reqsign_context::ReqsignContext;
use super::CloudContext;
use super::failure::Failure;
use super::leased::{CredentialIssuer, IssuedCredential};
use crate::base::secret::Secret;
use crate::config::cloud::is_aws_region;
use crate::credential::{CredentialError, CredentialRequest};

/// The keys of the configured credential.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) region: Option<Box<str>>,
    pub(super) profile: Option<Box<str>>,
    pub(super) role: Option<Box<str>>,
}

/// The issuer of ECR passwords.
#[derive(Debug)]
pub(super) struct Ecr {
    settings: Settings,
    cloud: Arc<CloudContext>,
}

impl Ecr {
    pub(super) fn new(settings: Settings, cloud: Arc<CloudContext>) -> Self {
        Self { settings, cloud }
    }

    /// The ECR API that issues passwords for the registry.
    fn endpoint(&self, request: &CredentialRequest<'_>) -> Result<EcrEndpoint, CredentialError> {
        let region = self.settings.region.as_deref();
        if let Some(endpoint) = EcrEndpoint::of_registry(request.registry) {
            return Ok(endpoint.with_region(region));
        }
        if request.profile == "ecr-public" {
            return Ok(EcrEndpoint::public());
        }
        let variable = |name| self.cloud.environment.variable(name).map(Secret::expose);
        let region = region.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
        match region {
            Some(region) if is_aws_region(region) => Ok(EcrEndpoint::private(region)),
            Some(_) => Err(CredentialError::new(
                "AWS_REGION or AWS_DEFAULT_REGION is not an AWS region; set it to \"eu-west-2\" or another",
            )),
            None => Err(CredentialError::new(format!(
                "the host name {} contains no AWS region; add `region` to the registry's credential",
                request.registry
            ))),
        }
    }
}

impl CredentialIssuer for Ecr {
    type Key = EcrEndpoint;

    async fn key(&self, request: &CredentialRequest<'_>) -> Result<EcrEndpoint, CredentialError> {
        self.endpoint(request)
    }

    async fn issue(self: Arc<Self>, endpoint: EcrEndpoint) -> Result<IssuedCredential, Failure> {
        let reqsign = ReqsignContext::new(self.cloud.clone());
        let found = key::find(&reqsign, &endpoint, self.settings.profile.as_deref()).await?;
        let (key, source) = match &self.settings.role {
            Some(role) => {
                let key = key::assume_role(&reqsign, &endpoint, &found.key, role).await?;
                (key, format!("{role} by {}", found.source))
            }
            None => (found.key, found.source),
        };
        let (credential, lifetime) = password::fetch(&reqsign, &endpoint, &key).await?;
        Ok(IssuedCredential { credential, lifetime, source: format!("AWS ({source})") })
    }
}

//! Refresh tokens for Azure container registries: regpass gets a token from Azure's directory (Microsoft Entra ID) and
//! exchanges it at the registry itself for a refresh token (Azure/acr, docs/AAD-OAuth.md).

mod directory_token;
mod managed_identity;
mod national_cloud;
mod refresh_token;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use self::national_cloud::NationalCloud;
use super::CloudContext;
use super::failure::Failure;
use super::leased::{CredentialIssuer, IssuedCredential};
use crate::base::host::RegistryHost;
use crate::base::origin::Origin;
use crate::base::secret::Secret;
use crate::credential::{CredentialError, CredentialRequest};
use crate::net::client::HttpClient;

/// Gets refresh tokens for Azure registries, from the registry itself in exchange for a token of the directory.
#[derive(Debug)]
pub(super) struct Azure {
    context: Arc<CloudContext>,
    tenant: Option<Box<str>>,
    client_id: Option<Box<str>>,
}

/// A registry, its origin and the client that connects to it.
#[derive(Clone, Debug)]
pub(super) struct RegistryEndpoint {
    registry: RegistryHost,
    origin: Origin,
    client: Arc<HttpClient>,
}

/// An access token from Azure's directory.
#[derive(Debug)]
struct DirectoryToken {
    token: Secret,
    /// The identity that the token belongs to, as [`IssuedCredential::source`].
    source: String,
}

impl Azure {
    pub(super) fn new(tenant: Option<&str>, client_id: Option<&str>, context: Arc<CloudContext>) -> Self {
        let variable = |name| context.environment.variable(name).map(|value: &Secret| value.expose().into());
        Self {
            tenant: tenant.map(Into::into).or_else(|| variable("AZURE_TENANT_ID")),
            client_id: client_id.map(Into::into).or_else(|| variable("AZURE_CLIENT_ID")),
            context,
        }
    }

    fn variable(&self, name: &str) -> Option<&Secret> {
        self.context.environment.variable(name)
    }

    /// Uses the first identity that is set up: workload identity, a service principal's secret, the managed identity of
    /// the app, or that of the machine.
    async fn directory_token(&self, cloud: &NationalCloud) -> Result<DirectoryToken, Failure> {
        if let Some(file) = self.variable("AZURE_FEDERATED_TOKEN_FILE") {
            return self.token_by_workload_identity(cloud, file.expose()).await;
        }
        if let Some(secret) = self.variable("AZURE_CLIENT_SECRET") {
            return self.token_by_client_secret(cloud, secret).await;
        }
        match (self.variable("IDENTITY_ENDPOINT"), self.variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => self.token_by_app_identity(cloud, endpoint.expose(), header).await,
            _ => self.token_by_machine_identity(cloud).await,
        }
    }
}

impl CredentialIssuer for Azure {
    type Key = RegistryEndpoint;

    async fn key(&self, request: &CredentialRequest<'_>) -> Result<RegistryEndpoint, CredentialError> {
        Ok(RegistryEndpoint {
            registry: request.registry.clone(),
            origin: request.origin.clone(),
            client: request.client.clone(),
        })
    }

    async fn issue(self: Arc<Self>, endpoint: RegistryEndpoint) -> Result<IssuedCredential, Failure> {
        let cloud = NationalCloud::of(&endpoint.registry, &endpoint.origin);
        let token = self.directory_token(cloud).await?;
        refresh_token::exchange(&endpoint, self.tenant.as_deref(), &token, self.context.clock).await
    }
}

impl PartialEq for RegistryEndpoint {
    fn eq(&self, other: &Self) -> bool {
        self.registry == other.registry && self.origin == other.origin && Arc::ptr_eq(&self.client, &other.client)
    }
}

impl Eq for RegistryEndpoint {}

impl Hash for RegistryEndpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.registry.hash(state);
    }
}

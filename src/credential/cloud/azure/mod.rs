//! Logins of Azure's registries: a token of the directory is exchanged, at the registry itself, for a refresh token
//! (Azure/acr docs/AAD-OAuth.md).

mod directory;
mod exchange;
mod managed;
mod national;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use self::national::National;
use super::Surroundings;
use super::failure::Failure;
use super::leased::{Lender, Lent};
use crate::base::host::RegistryHost;
use crate::base::origin::Origin;
use crate::base::secret::Secret;
use crate::credential::{CredentialError, Wanted};
use crate::net::client::Client;

#[derive(Debug)]
pub(super) struct Azure {
    surroundings: Arc<Surroundings>,
    tenant: Option<Box<str>>,
    client_id: Option<Box<str>>,
}

/// The registry that a login is for, and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    registry: RegistryHost,
    origin: Origin,
    client: Arc<Client>,
}

/// A token of the directory, and whose it is.
#[derive(Debug)]
struct DirectoryToken {
    token: Secret,
    source: String,
}

impl Azure {
    pub(super) fn new(tenant: Option<&str>, client_id: Option<&str>, surroundings: Arc<Surroundings>) -> Self {
        let variable = |name| surroundings.environment.variable(name).map(|value: &Secret| value.expose().into());
        Self {
            tenant: tenant.map(Into::into).or_else(|| variable("AZURE_TENANT_ID")),
            client_id: client_id.map(Into::into).or_else(|| variable("AZURE_CLIENT_ID")),
            surroundings,
        }
    }

    fn variable(&self, name: &str) -> Option<&Secret> {
        self.surroundings.environment.variable(name)
    }

    /// From the first of what the surroundings offer: workload identity, a service principal's secret, the identity of
    /// the app or of the machine.
    async fn directory_token(&self, national: &National) -> Result<DirectoryToken, Failure> {
        if let Some(file) = self.variable("AZURE_FEDERATED_TOKEN_FILE") {
            return self.by_workload_identity(national, file.expose()).await;
        }
        if let Some(secret) = self.variable("AZURE_CLIENT_SECRET") {
            return self.by_secret(national, secret).await;
        }
        match (self.variable("IDENTITY_ENDPOINT"), self.variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => self.by_app(national, endpoint.expose(), header).await,
            _ => self.by_machine(national).await,
        }
    }
}

impl Lender for Azure {
    type Key = Place;

    async fn key(&self, wanted: &Wanted<'_>) -> Result<Place, CredentialError> {
        Ok(Place { registry: wanted.registry.clone(), origin: wanted.origin.clone(), client: wanted.client.clone() })
    }

    async fn lend(self: Arc<Self>, place: Place) -> Result<Lent, Failure> {
        let national = National::of(&place.registry, &place.origin);
        let token = self.directory_token(national).await?;
        exchange::refresh_token(&place, self.tenant.as_deref(), &token, self.surroundings.clock).await
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.registry == other.registry && self.origin == other.origin && Arc::ptr_eq(&self.client, &other.client)
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.registry.hash(state);
    }
}

pub(super) const VARIABLES: &[&str] = &[
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_TENANT_ID",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
];

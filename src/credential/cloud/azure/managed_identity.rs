//! Managed identities, which Azure assigns to machines and apps
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>,
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity>).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::national_cloud::NationalCloud;
use super::{Azure, DirectoryToken};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::credential::CredentialError;
use crate::credential::cloud::client::EndpointRequest;
use crate::credential::cloud::failure::{Failure, Step};

const APP: Step = Step::new(
    "requesting a token for the app's managed identity",
    "enable a managed identity for the app; if it has several, set `client_id` to one of them",
);
const MACHINE: Step = Step::new(
    "requesting a token for the machine's managed identity from Azure's metadata service",
    "assign a managed identity to the machine; if it has several, set `client_id` to one of them",
);

impl Azure {
    pub(super) async fn token_by_app_identity(
        &self,
        cloud: &NationalCloud,
        endpoint: &str,
        secret: &Secret,
    ) -> Result<DirectoryToken, Failure> {
        let url = Url::parse(endpoint)
            .map_err(|why| CredentialError::new(format!("IDENTITY_ENDPOINT is not a valid URL: {why}")))?;
        let mut header = HeaderValue::from_str(secret.expose())
            .map_err(|_| CredentialError::new("IDENTITY_HEADER has characters that are not allowed in headers"))?;
        header.set_sensitive(true);
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-identity-header"), header)]);
        let url = self.token_url(url, "2019-08-01", cloud);
        self.request_managed_token(EndpointRequest::get(&APP, &url, headers).with_secrets(&[secret])).await
    }

    pub(super) async fn token_by_machine_identity(&self, cloud: &NationalCloud) -> Result<DirectoryToken, Failure> {
        let host = self.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST").map_or(METADATA_SERVICE, Secret::expose);
        let url =
            Url::parse(&format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'))).map_err(|why| {
                CredentialError::new(format!("AZURE_POD_IDENTITY_AUTHORITY_HOST is not a valid URL: {why}"))
            })?;
        let headers = HeaderMap::from_iter([(HeaderName::from_static("metadata"), HeaderValue::from_static("true"))]);
        let url = self.token_url(url, "2018-02-01", cloud);
        self.request_managed_token(
            EndpointRequest::get(&MACHINE, &url, headers).with_unreachable_hint(UNREACHABLE_HINT),
        )
        .await
    }

    async fn request_managed_token(&self, request: EndpointRequest<'_>) -> Result<DirectoryToken, Failure> {
        let token = self.context.client.send(request).await?.token("access_token")?;
        let id = self.client_id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
        Ok(DirectoryToken { token, source: format!("Azure managed identity{id}") })
    }

    /// Adds the query of a token request.
    fn token_url(&self, url: Url, version: &str, cloud: &NationalCloud) -> Url {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("api-version", version).append_pair("resource", cloud.audience);
        if let Some(client_id) = &self.client_id {
            query.append_pair("client_id", client_id);
        }
        Url { query: Some(query.finish().into()), ..url }
    }
}

const METADATA_SERVICE: &str = "http://169.254.169.254";
const UNREACHABLE_HINT: &str = "outside Azure's machines set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET";

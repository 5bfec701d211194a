//! Access tokens from Azure's directory for an application that authenticates with a secret or an assertion
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).

use super::national_cloud::NationalCloud;
use super::{Azure, DirectoryToken};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::config::model::SecretSource;
use crate::credential::CredentialError;
use crate::credential::cloud::client::EndpointRequest;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::secret_reader::SecretReader;

const FEDERATED: Step = Step::new(
    "requesting a token from Microsoft Entra ID with a workload identity",
    "compare the issuer, subject and audience of the federated credential with the pod's service account",
);
const SECRET: Step = Step::new(
    "requesting a token from Microsoft Entra ID with a service principal's secret",
    "check AZURE_TENANT_ID and AZURE_CLIENT_ID; the secret may have expired: make a new one for AZURE_CLIENT_SECRET",
);

impl Azure {
    /// Authenticates with the assertion in `file`, which the Kubernetes cluster keeps up to date.
    pub(super) async fn token_by_workload_identity(
        &self,
        cloud: &NationalCloud,
        file: &str,
    ) -> Result<DirectoryToken, Failure> {
        let assertion = SecretReader::new(&SecretSource::File(file.into())).current().await?;
        let proof = [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.expose()),
        ];
        self.request_token(&FEDERATED, cloud, &proof, &assertion, "Azure workload identity").await
    }

    pub(super) async fn token_by_client_secret(
        &self,
        cloud: &NationalCloud,
        secret: &Secret,
    ) -> Result<DirectoryToken, Failure> {
        let proof = [("client_secret", secret.expose())];
        self.request_token(&SECRET, cloud, &proof, secret, "Azure service principal").await
    }

    async fn request_token(
        &self,
        step: &'static Step,
        cloud: &NationalCloud,
        proof: &[(&str, &str)],
        secret: &Secret,
        source: &str,
    ) -> Result<DirectoryToken, Failure> {
        let missing = |what| {
            CredentialError::new(format!(
                "{} needs {what}; set the environment variable or the key of the registry's credential",
                step.action
            ))
        };
        let tenant = self.tenant.as_deref().ok_or_else(|| missing("AZURE_TENANT_ID or `tenant`"))?;
        let client_id = self.client_id.as_deref().ok_or_else(|| missing("AZURE_CLIENT_ID or `client_id`"))?;
        let authority = self.variable("AZURE_AUTHORITY_HOST").map_or(cloud.authority, Secret::expose);
        let url = Url::parse(&format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/')))
            .map_err(|why| CredentialError::new(format!("AZURE_AUTHORITY_HOST or the tenant is invalid: {why}")))?;
        let scope = format!("{}/.default", cloud.audience);
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", client_id), ("scope", &scope)];
        form.extend(proof);
        let request = EndpointRequest::form(step, &url, &form, &[secret]);
        let token = self.context.client.send(request).await?.token("access_token")?;
        Ok(DirectoryToken { token, source: format!("{source} {client_id}") })
    }
}

//! Tokens of Azure's directory for whoever proves to be an application
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).

use super::national::National;
use super::{Azure, DirectoryToken};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::config::model::SecretSource;
use crate::credential::CredentialError;
use crate::credential::cloud::client::Question;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::secret::Reading;

const FEDERATED: Step = Step {
    doing: "signing in to Azure's directory with a workload identity",
    hint: "compare issuer, subject and audience of the federated credential with the pod's service account",
};
const SECRET: Step = Step {
    doing: "signing in to Azure's directory with a service principal's secret",
    hint: "look at AZURE_TENANT_ID and AZURE_CLIENT_ID; the secret may be over: make a new one for AZURE_CLIENT_SECRET",
};

impl Azure {
    /// With a token that the cluster keeps in a file, and renews there.
    pub(super) async fn by_workload_identity(
        &self,
        national: &National,
        file: &str,
    ) -> Result<DirectoryToken, Failure> {
        let assertion = Reading::new(&SecretSource::File(file.into())).current().await?;
        let proof = [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.expose()),
        ];
        self.by_proof(&FEDERATED, national, &proof, &assertion, "Azure workload identity").await
    }

    pub(super) async fn by_secret(&self, national: &National, secret: &Secret) -> Result<DirectoryToken, Failure> {
        let proof = [("client_secret", secret.expose())];
        self.by_proof(&SECRET, national, &proof, secret, "Azure service principal").await
    }

    async fn by_proof(
        &self,
        step: &'static Step,
        national: &National,
        proof: &[(&str, &str)],
        secret: &Secret,
        source: &str,
    ) -> Result<DirectoryToken, Failure> {
        let missing = |what| {
            CredentialError::new(format!(
                "{} needs {what}; set it where regpass is started, or in the configuration",
                step.doing
            ))
        };
        let tenant = self.tenant.as_deref().ok_or_else(|| missing("AZURE_TENANT_ID, or 'tenant'"))?;
        let client_id = self.client_id.as_deref().ok_or_else(|| missing("AZURE_CLIENT_ID, or 'client_id'"))?;
        let authority = self.variable("AZURE_AUTHORITY_HOST").map_or(national.authority, Secret::expose);
        let url = Url::parse(&format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/')))
            .map_err(|why| CredentialError::new(format!("AZURE_AUTHORITY_HOST or the tenant is of no use: {why}")))?;
        let scope = format!("{}/.default", national.audience);
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", client_id), ("scope", &scope)];
        form.extend(proof);
        let question = Question::form(step, &url, &form, &[secret]);
        let token = self.surroundings.clouds.ask(question).await?.token("access_token")?;
        Ok(DirectoryToken { token, source: format!("{source} {client_id}") })
    }
}

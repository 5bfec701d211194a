//! Identities that Azure gives to its machines and apps
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>,
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity>).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::national::National;
use super::{Azure, DirectoryToken};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::credential::CredentialError;
use crate::credential::cloud::client::Question;
use crate::credential::cloud::failure::{Failure, Step};

const APP: Step = Step {
    doing: "asking Azure for the app's managed identity",
    hint: "switch an identity on for the app; of several, name one as 'client_id'",
};
const MACHINE: Step = Step {
    doing: "asking Azure's metadata service for the machine's managed identity",
    hint: "assign an identity to the machine; of several, name one as 'client_id'",
};

impl Azure {
    pub(super) async fn by_app(
        &self,
        national: &National,
        endpoint: &str,
        secret: &Secret,
    ) -> Result<DirectoryToken, Failure> {
        let wrong =
            |why: &dyn std::fmt::Display| CredentialError::new(format!("IDENTITY_ENDPOINT is of no use: {why}"));
        let url = Url::parse(endpoint).map_err(|why| wrong(&why))?;
        let mut header = HeaderValue::from_str(secret.expose())
            .map_err(|_| CredentialError::new("IDENTITY_HEADER fits no header"))?;
        header.set_sensitive(true);
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-identity-header"), header)]);
        let url = self.asking(url, "2019-08-01", national);
        self.managed(Question::get(&APP, &url, headers).keeping(&[secret])).await
    }

    pub(super) async fn by_machine(&self, national: &National) -> Result<DirectoryToken, Failure> {
        let host = self.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST").map_or(METADATA, Secret::expose);
        let url = Url::parse(&format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/')))
            .map_err(|why| CredentialError::new(format!("AZURE_POD_IDENTITY_AUTHORITY_HOST is of no use: {why}")))?;
        let headers = HeaderMap::from_iter([(HeaderName::from_static("metadata"), HeaderValue::from_static("true"))]);
        let url = self.asking(url, "2018-02-01", national);
        self.managed(Question::get(&MACHINE, &url, headers).or(ELSE)).await
    }

    async fn managed(&self, question: Question<'_>) -> Result<DirectoryToken, Failure> {
        let token = self.surroundings.clouds.ask(question).await?.token("access_token")?;
        let whose = self.client_id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
        Ok(DirectoryToken { token, source: format!("Azure managed identity{whose}") })
    }

    fn asking(&self, url: Url, version: &str, national: &National) -> Url {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("api-version", version).append_pair("resource", national.audience);
        if let Some(client_id) = &self.client_id {
            query.append_pair("client_id", client_id);
        }
        Url { query: Some(query.finish().into()), ..url }
    }
}

const METADATA: &str = "http://169.254.169.254";
const ELSE: &str = "outside Azure's machines set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET";

//! Workload identity federation: another identity provider's token is exchanged for a Google access token (RFC 8693,
//! <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>). If the key file says so, the access token
//! is exchanged for one of a service account.

use std::path::PathBuf;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::json::JsonObject;
use super::{SCOPE, issued, parse_token_response};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::base::watched_file::FileError;
use crate::config::model::SecretSource;
use crate::credential::CredentialError;
use crate::credential::cloud::CloudContext;
use crate::credential::cloud::client::EndpointRequest;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::IssuedCredential;
use crate::credential::secret_reader::SecretReader;

/// A key file of the type `external_account`.
#[derive(Debug)]
pub(super) struct Federated {
    token_url: Url,
    audience: Box<str>,
    subject_token_type: Box<str>,
    subject: SubjectTokenSource,
    /// The name of the JSON member that contains the subject token. If `None`, the whole text is the token.
    member: Option<Box<str>>,
    /// The URL that issues a service account's access token. If `None`, the federated token itself is used.
    impersonation: Option<Url>,
    source: String,
}

/// Where to read the other identity provider's token.
#[derive(Debug)]
enum SubjectTokenSource {
    File(PathBuf),
    Url { url: Url, headers: HeaderMap },
}

const FETCHING: Step =
    Step::new("fetching the token to exchange for a Google access token", "correct credential_source in the key file");
const EXCHANGING: Step = Step::new(
    "exchanging a token for a Google access token",
    "compare the audience, issuer and attribute conditions of the workload identity pool with the token",
);
const IMPERSONATING: Step = Step::new(
    "getting the access token of a Google service account",
    "give the federated identity the role roles/iam.workloadIdentityUser on the account",
);

impl Federated {
    pub(super) fn read(members: &JsonObject<'_>) -> Result<Self, FileError> {
        let source = members.object("credential_source").ok_or_else(|| members.error("has no `credential_source`"))?;
        let subject = if let Some(file) = source.optional("file") {
            SubjectTokenSource::File(file.into())
        } else if source.optional("url").is_some() && source.optional("environment_id").is_none() {
            SubjectTokenSource::Url { url: source.url("url")?, headers: headers(&source)? }
        } else {
            return Err(members.error("has an unsupported credential_source; regpass supports `file` and `url`"));
        };
        let format = source.object("format").filter(|format| format.optional("type") == Some("json"));
        let member = format.map(|format| format.text("subject_token_field_name").map(Into::into)).transpose()?;
        let impersonation = members
            .optional("service_account_impersonation_url")
            .map(|_| members.url("service_account_impersonation_url"))
            .transpose()?;
        Ok(Self {
            token_url: members.url("token_url")?,
            audience: members.text("audience")?.into(),
            subject_token_type: members.text("subject_token_type")?.into(),
            subject,
            member,
            impersonation,
            source: format!("the workload identity in {}", members.path().display()),
        })
    }

    pub(super) async fn access_token(&self, context: &CloudContext) -> Result<IssuedCredential, Failure> {
        let subject = self.subject_token(context).await?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", subject.expose()),
            ("subject_token_type", &self.subject_token_type),
        ];
        let request = EndpointRequest::form(&EXCHANGING, &self.token_url, &form, &[&subject]);
        let answer = context.client.send(request).await?;
        match &self.impersonation {
            Some(url) => self.impersonate(context, url, &answer.token("access_token")?).await,
            None => parse_token_response(&answer, self.source.clone()),
        }
    }

    /// Gets a service account's access token. Its lifetime is the requested one: the response has only an expiry date,
    /// which a wrong local clock would misjudge.
    async fn impersonate(
        &self,
        context: &CloudContext,
        url: &Url,
        token: &Secret,
    ) -> Result<IssuedCredential, Failure> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
            IMPERSONATING
                .failed(&url.origin.authority(), "the federated token has characters that are not allowed in headers")
        })?;
        bearer.set_sensitive(true);
        let body = json!({ "scope": [SCOPE], "lifetime": format!("{}s", LIFETIME.as_secs()) });
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        let request = EndpointRequest::json(&IMPERSONATING, url, headers, &body).with_secrets(&[token]);
        let answer = context.client.send(request).await?;
        Ok(issued(answer.token("accessToken")?, LIFETIME, self.source.clone()))
    }

    async fn subject_token(&self, context: &CloudContext) -> Result<Secret, Failure> {
        match (&self.subject, &self.member) {
            (SubjectTokenSource::File(file), member) => {
                let text = SecretReader::new(&SecretSource::File(file.clone())).current().await?;
                let Some(member) = member else { return Ok(Secret::clone(&text)) };
                let object: Option<Value> = serde_json::from_str(text.expose()).ok();
                let token = object.as_ref().and_then(|object| object.get(&**member)?.as_str());
                let missing = || CredentialError::new(format!("{} has no `{member}`", file.display())).into();
                token.map(Secret::new).ok_or_else(missing)
            }
            (SubjectTokenSource::Url { url, headers }, member) => {
                let request = EndpointRequest::get(&FETCHING, url, headers.clone());
                let answer = context.client.send(request).await?;
                member.as_ref().map_or_else(|| answer.text(), |member| answer.token(member))
            }
        }
    }
}

fn headers(source: &JsonObject<'_>) -> Result<HeaderMap, FileError> {
    let invalid = || source.error("has invalid HTTP headers in its credential_source");
    let object = source.object("headers");
    let mut headers = HeaderMap::new();
    for (name, value) in object.iter().flat_map(JsonObject::entries) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The requested lifetime of a service account's token: the longest that Google allows without a special policy.
const LIFETIME: Duration = Duration::from_secs(3600);

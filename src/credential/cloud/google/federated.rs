//! Workload identity federation: another identity's token is exchanged for Google's (RFC 8693,
//! <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>), perhaps for a service account's after that.

use std::path::PathBuf;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::key_file::Members;
use super::{SCOPE, granted, lent};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::config::model::SecretSource;
use crate::credential::CredentialError;
use crate::credential::cloud::Surroundings;
use crate::credential::cloud::client::Question;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::Lent;
use crate::credential::secret::Reading;

#[derive(Debug)]
pub(super) struct Federated {
    token_url: Url,
    audience: Box<str>,
    subject_token_type: Box<str>,
    subject: Subject,
    /// The member of a JSON object that holds the subject token; without, the whole text is the token.
    member: Option<Box<str>>,
    impersonation: Option<Url>,
    source: String,
}

/// Where the other identity's token is.
#[derive(Debug)]
enum Subject {
    File(PathBuf),
    Url { url: Url, headers: HeaderMap },
}

const FETCHING: Step =
    Step { doing: "fetching the token to exchange for Google's", hint: "correct credential_source in the key file" };
const EXCHANGING: Step = Step {
    doing: "exchanging a token for Google's",
    hint: "compare audience, issuer and attribute conditions of the workload identity pool with the token",
};
const IMPERSONATING: Step = Step {
    doing: "getting the access token of a Google service account",
    hint: "give the federated identity the role roles/iam.workloadIdentityUser on the account",
};

impl Federated {
    pub(super) fn read(members: &Members<'_>) -> Result<Self, CredentialError> {
        let source = members.object("credential_source").ok_or_else(|| members.wrong("has no 'credential_source'"))?;
        let subject = if let Some(file) = source.optional("file") {
            Subject::File(file.into())
        } else if source.optional("url").is_some() && source.optional("environment_id").is_none() {
            Subject::Url { url: source.url("url")?, headers: headers(&source)? }
        } else {
            return Err(members.wrong("has a credential_source that is not understood here: 'file' and 'url' are"));
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

    pub(super) async fn access_token(&self, surroundings: &Surroundings) -> Result<Lent, Failure> {
        let subject = self.subject_token(surroundings).await?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", subject.expose()),
            ("subject_token_type", &self.subject_token_type),
        ];
        let question = Question::form(&EXCHANGING, &self.token_url, &form, &[&subject]);
        let answer = surroundings.clouds.ask(question).await?;
        match &self.impersonation {
            Some(url) => self.impersonate(surroundings, url, &answer.token("access_token")?).await,
            None => granted(&answer, self.source.clone()),
        }
    }

    /// The lifetime is the one asked for, whatever the machine's clock makes of the date in the answer.
    async fn impersonate(&self, surroundings: &Surroundings, url: &Url, token: &Secret) -> Result<Lent, Failure> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| IMPERSONATING.failed(&url.origin.authority(), "the federated token fits no header"))?;
        bearer.set_sensitive(true);
        let wanted = json!({ "scope": [SCOPE], "lifetime": format!("{}s", LIFETIME.as_secs()) });
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        let question = Question::json(&IMPERSONATING, url, headers, &wanted).keeping(&[token]);
        let answer = surroundings.clouds.ask(question).await?;
        Ok(lent(answer.token("accessToken")?, LIFETIME, self.source.clone()))
    }

    async fn subject_token(&self, surroundings: &Surroundings) -> Result<Secret, Failure> {
        match (&self.subject, &self.member) {
            (Subject::File(file), member) => {
                let text = Reading::new(&SecretSource::File(file.clone())).current().await?;
                let Some(member) = member else { return Ok(Secret::clone(&text)) };
                let object: Option<Value> = serde_json::from_str(text.expose()).ok();
                let token = object.as_ref().and_then(|object| object.get(&**member)?.as_str());
                let what = || CredentialError::new(format!("{} has no '{member}'", file.display())).into();
                token.map(Secret::new).ok_or_else(what)
            }
            (Subject::Url { url, headers }, member) => {
                let question = Question::get(&FETCHING, url, headers.clone());
                let answer = surroundings.clouds.ask(question).await?;
                member.as_ref().map_or_else(|| answer.text(), |member| answer.token(member))
            }
        }
    }
}

fn headers(source: &Members<'_>) -> Result<HeaderMap, CredentialError> {
    let wrong = || source.wrong("has headers in its credential_source that are none");
    let object = source.object("headers");
    let mut headers = HeaderMap::new();
    for (name, value) in object.iter().flat_map(Members::entries) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Of a service account's token: the longest without a special policy.
const LIFETIME: Duration = Duration::from_secs(3600);

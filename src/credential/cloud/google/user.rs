//! A user's refresh token, as `gcloud auth application-default login` saves it.

use super::json::JsonObject;
use super::{TOKEN_ENDPOINT, parse_token_response};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::base::watched_file::FileError;
use crate::credential::cloud::CloudContext;
use crate::credential::cloud::client::EndpointRequest;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::IssuedCredential;

/// A key file of the type `authorized_user`.
#[derive(Debug)]
pub(super) struct User {
    token_uri: Url,
    client_id: Box<str>,
    client_secret: Secret,
    refresh_token: Secret,
    source: String,
}

const REFRESHING: Step = Step::new(
    "requesting an access token with a Google user's refresh token",
    "log in again: gcloud auth application-default login",
);

impl User {
    pub(super) fn read(members: &JsonObject<'_>) -> Result<Self, FileError> {
        Ok(Self {
            token_uri: members.url_or("token_uri", TOKEN_ENDPOINT)?,
            client_id: members.text("client_id")?.into(),
            client_secret: members.secret("client_secret")?,
            refresh_token: members.secret("refresh_token")?,
            source: format!("the Google login in {}", members.path().display()),
        })
    }

    pub(super) async fn access_token(&self, context: &CloudContext) -> Result<IssuedCredential, Failure> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", self.refresh_token.expose()),
        ];
        let secrets = [&self.client_secret, &self.refresh_token];
        let request = EndpointRequest::form(&REFRESHING, &self.token_uri, &form, &secrets);
        parse_token_response(&context.client.send(request).await?, self.source.clone())
    }
}

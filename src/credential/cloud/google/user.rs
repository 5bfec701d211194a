//! A person's login, as `gcloud auth application-default login` leaves it: a refresh token.

use super::key_file::Members;
use super::{TOKEN_ENDPOINT, granted};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::credential::CredentialError;
use crate::credential::cloud::Surroundings;
use crate::credential::cloud::client::Question;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::Lent;

#[derive(Debug)]
pub(super) struct User {
    token_uri: Url,
    client_id: Box<str>,
    client_secret: Secret,
    refresh_token: Secret,
    source: String,
}

const REFRESHING: Step =
    Step { doing: "refreshing a Google user's login", hint: "log in again: gcloud auth application-default login" };

impl User {
    pub(super) fn read(members: &Members<'_>) -> Result<Self, CredentialError> {
        Ok(Self {
            token_uri: members.url_or("token_uri", TOKEN_ENDPOINT)?,
            client_id: members.text("client_id")?.into(),
            client_secret: members.secret("client_secret")?,
            refresh_token: members.secret("refresh_token")?,
            source: format!("the Google login in {}", members.path().display()),
        })
    }

    pub(super) async fn access_token(&self, surroundings: &Surroundings) -> Result<Lent, Failure> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", self.refresh_token.expose()),
        ];
        let secrets = [&self.client_secret, &self.refresh_token];
        let question = Question::form(&REFRESHING, &self.token_uri, &form, &secrets);
        granted(&surroundings.clouds.ask(question).await?, self.source.clone())
    }
}

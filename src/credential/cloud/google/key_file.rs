//! A file in one of the forms of Google's application default credentials (<https://google.aip.dev/auth/4110>).

use std::path::Path;

use serde_json::Value;

use super::assertion::ServiceAccount;
use super::federated::Federated;
use super::user::User;
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::credential::CredentialError;
use crate::credential::cloud::Surroundings;
use crate::credential::cloud::failure::Failure;
use crate::credential::cloud::leased::Lent;

#[derive(Debug)]
pub(super) enum KeyFile {
    Federated(Federated),
    ServiceAccount(ServiceAccount),
    User(User),
}

impl KeyFile {
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CredentialError> {
        let Ok(Value::Object(members)) = serde_json::from_slice(bytes) else {
            let what = "is not a JSON object; download the key again, or let gcloud write the file again";
            return Err(CredentialError::new(format!("{} {what}", path.display())));
        };
        let members = Members { path, members: &Value::Object(members) };
        match members.optional("type").unwrap_or_default() {
            "authorized_user" => User::read(&members).map(Self::User),
            "external_account" => Federated::read(&members).map(Self::Federated),
            "service_account" => ServiceAccount::read(&members).map(Self::ServiceAccount),
            _ => Err(members.wrong(
                "is of no type that is known here: service_account, authorized_user and external_account are; \
                 gcloud auth print-access-token works with others",
            )),
        }
    }

    pub(super) async fn access_token(&self, surroundings: &Surroundings) -> Result<Lent, Failure> {
        match self {
            Self::Federated(federated) => federated.access_token(surroundings).await,
            Self::ServiceAccount(account) => account.access_token(surroundings).await,
            Self::User(user) => user.access_token(surroundings).await,
        }
    }
}

/// A JSON object in a file. What is wrong with it is told without its words.
#[derive(Debug)]
pub(super) struct Members<'a> {
    path: &'a Path,
    members: &'a Value,
}

impl<'a> Members<'a> {
    pub(super) fn path(&self) -> &Path {
        self.path
    }

    pub(super) fn optional(&self, name: &str) -> Option<&'a str> {
        self.members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, CredentialError> {
        self.optional(name).ok_or_else(|| self.wrong(&format!("has no '{name}'")))
    }

    pub(super) fn secret(&self, name: &str) -> Result<Secret, CredentialError> {
        self.text(name).map(Secret::new)
    }

    pub(super) fn url(&self, name: &str) -> Result<Url, CredentialError> {
        Url::parse(self.text(name)?).map_err(|why| self.wrong(&format!("has no usable '{name}': {why}")))
    }

    /// The URL of that name, or `usual` where there is none.
    pub(super) fn url_or(&self, name: &str, usual: &str) -> Result<Url, CredentialError> {
        match self.optional(name) {
            Some(_) => self.url(name),
            None => Url::parse(usual).map_err(|why| self.wrong(&why.to_string())),
        }
    }

    pub(super) fn object(&self, name: &str) -> Option<Self> {
        let members = self.members.get(name).filter(|members| members.is_object())?;
        Some(Self { path: self.path, members })
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let entries = self.members.as_object().into_iter().flatten();
        entries.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    pub(super) fn wrong(&self, what: &str) -> CredentialError {
        CredentialError::new(format!("{} {what}", self.path.display()))
    }
}

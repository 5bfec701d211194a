//! Key files, in the formats of Google's application default credentials (<https://google.aip.dev/auth/4110>).

use std::path::Path;

use serde_json::Value;

use super::federated::Federated;
use super::json::JsonObject;
use super::service_account::ServiceAccount;
use super::user::User;
use crate::base::watched_file::FileError;
use crate::credential::cloud::CloudContext;
use crate::credential::cloud::failure::Failure;
use crate::credential::cloud::leased::IssuedCredential;

/// A parsed key file.
#[derive(Debug)]
pub(super) enum KeyFile {
    Federated(Federated),
    ServiceAccount(ServiceAccount),
    User(User),
}

impl KeyFile {
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let Ok(Value::Object(members)) = serde_json::from_str(text) else {
            return Err(FileError::new(format!(
                "{} is not a JSON object; download the key again, or let gcloud write the file again",
                path.display()
            )));
        };
        let members = Value::Object(members);
        let members = JsonObject::new(path, &members);
        match members.optional("type").unwrap_or_default() {
            "authorized_user" => User::read(&members).map(Self::User),
            "external_account" => Federated::read(&members).map(Self::Federated),
            "service_account" => ServiceAccount::read(&members).map(Self::ServiceAccount),
            _ => Err(members.error(
                "has an unsupported `type`; regpass supports service_account, authorized_user and external_account; \
                 for another type, configure a token from: gcloud auth print-access-token",
            )),
        }
    }

    pub(super) async fn access_token(&self, context: &CloudContext) -> Result<IssuedCredential, Failure> {
        match self {
            Self::Federated(federated) => federated.access_token(context).await,
            Self::ServiceAccount(account) => account.access_token(context).await,
            Self::User(user) => user.access_token(context).await,
        }
    }
}

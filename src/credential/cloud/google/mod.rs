//! Google access tokens, obtained as Google's application default credentials are.
//!
//! A registry accepts one as the password of the user `oauth2accesstoken`, both at its token service and with Basic
//! (GoogleCloudPlatform/docker-credential-gcr).

mod federated;
mod json;
mod key_file;
mod metadata;
mod service_account;
mod user;

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::key_file::KeyFile;
use super::CloudContext;
use super::answer::Answer;
use super::failure::Failure;
use super::leased::{CredentialIssuer, IssuedCredential};
use crate::base::secret::Secret;
use crate::base::watched_file::{FileError, WatchedFile};
use crate::credential::environment::Environment;
use crate::credential::{Credential, CredentialError, CredentialRequest, FileProblems};

/// The issuer of Google access tokens.
#[derive(Debug)]
pub(super) struct Google {
    context: Arc<CloudContext>,
    key_file: Option<KeyFileSource>,
}

#[derive(Debug)]
struct KeyFileSource {
    file: WatchedFile<KeyFile>,
    /// Whether the file has to exist, because the configuration or a variable names it.
    is_required: bool,
}

/// The account that an access token is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Account {
    File(Revision),
    /// The account of the machine, from the metadata server.
    Machine,
}

/// One version of a key file. Every rewrite counts as another account, even with equal content.
#[derive(Clone, Debug)]
pub(super) struct Revision(Arc<KeyFile>);

impl Google {
    pub(super) fn new(key_file: Option<&Path>, context: Arc<CloudContext>) -> Self {
        let key_file = key_file_path(key_file, &context.environment)
            .map(|(path, is_required)| KeyFileSource { file: WatchedFile::new(path, KeyFile::parse), is_required });
        Self { context, key_file }
    }
}

/// The path of the key file, and whether the file has to exist: the one the configuration names, the one the variable
/// names, or gcloud's own (<https://cloud.google.com/docs/authentication/application-default-credentials>).
fn key_file_path(configured: Option<&Path>, environment: &Environment) -> Option<(PathBuf, bool)> {
    let path = |name| environment.variable(name).map(|path| PathBuf::from(path.expose()));
    if let Some(named) = configured.map(Path::to_owned).or_else(|| path("GOOGLE_APPLICATION_CREDENTIALS")) {
        return Some((named, true));
    }
    let folder = path("CLOUDSDK_CONFIG").or_else(|| Some(environment.home()?.join(".config/gcloud")))?;
    Some((folder.join("application_default_credentials.json"), false))
}

impl CredentialIssuer for Google {
    type Key = Account;

    async fn key(&self, _request: &CredentialRequest<'_>) -> Result<Account, CredentialError> {
        let Some(KeyFileSource { file, is_required }) = &self.key_file else { return Ok(Account::Machine) };
        match file.current().await {
            Ok(file) => Ok(Account::File(Revision(file))),
            Err(FileError::Missing(_)) if !is_required => Ok(Account::Machine),
            Err(error) => Err(error.into()),
        }
    }

    async fn issue(self: Arc<Self>, account: Account) -> Result<IssuedCredential, Failure> {
        match account {
            Account::File(Revision(file)) => file.access_token(&self.context).await,
            Account::Machine => metadata::access_token(&self.context).await,
        }
    }

    fn file_problems(&self) -> FileProblems<'_> {
        Box::pin(async {
            let Some(KeyFileSource { file, is_required }) = &self.key_file else { return Vec::new() };
            file.problem(*is_required).await.into_iter().collect()
        })
    }
}

impl PartialEq for Revision {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Revision {}

impl Hash for Revision {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// The credential in a token endpoint's response (RFC 6749, section 5.1).
fn parse_token_response(answer: &Answer, source: String) -> Result<IssuedCredential, Failure> {
    Ok(issued(answer.token("access_token")?, answer.lifetime("expires_in")?, source))
}

fn issued(token: Secret, lifetime: Duration, source: String) -> IssuedCredential {
    let credential = Credential::Password { username: "oauth2accesstoken".into(), password: token };
    IssuedCredential { credential, lifetime, source }
}

/// The OAuth scope of the access tokens: Artifact Registry has no narrower one.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_ENDPOINT: &str = "https://oauth2.googleapis.com/token";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_file_is_the_one_that_googles_own_tools_use() {
        let all = [("GOOGLE_APPLICATION_CREDENTIALS", "/v.json"), ("CLOUDSDK_CONFIG", "/c"), ("HOME", "/h")];
        for (configured, variables, file) in [
            (Some("/k.json"), &all[..], Some(("/k.json", true))),
            (None, &all[..], Some(("/v.json", true))),
            (None, &all[1..], Some(("/c/application_default_credentials.json", false))),
            (None, &all[2..], Some(("/h/.config/gcloud/application_default_credentials.json", false))),
            (None, &[], None),
        ] {
            let environment = Environment::new(variables.iter().copied());
            let found = key_file_path(configured.map(Path::new), &environment);
            assert_eq!(
                found,
                file.map(|(path, is_required)| (path.into(), is_required)),
                "{configured:?} {variables:?}"
            );
        }
    }
}

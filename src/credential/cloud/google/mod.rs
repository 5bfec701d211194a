//! Google's access tokens, had as its application default credentials are.
//!
//! A registry takes one as the password of `oauth2accesstoken`, at its token service and as Basic alike
//! (GoogleCloudPlatform/docker-credential-gcr).

mod assertion;
mod federated;
mod key_file;
mod metadata;
mod user;

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::key_file::KeyFile;
use super::Surroundings;
use super::answer::Answer;
use super::failure::Failure;
use super::leased::{Lender, Lent};
use crate::base::secret::Secret;
use crate::credential::environment::Environment;
use crate::credential::watched::{Lacking, Watched};
use crate::credential::{Credential, CredentialError, Troubles, Wanted};

#[derive(Debug)]
pub(super) struct Google {
    surroundings: Arc<Surroundings>,
    file: Option<Place>,
}

/// Where a key file is looked for.
#[derive(Debug)]
struct Place {
    file: Watched<KeyFile>,
    /// Whether it was named, so that it has to be there.
    is_named: bool,
}

/// Whose access token it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Account {
    File(Revision),
    /// The one that the machine runs as.
    Machine,
}

/// A file as it was written once: another one, be it of the same words, is another login.
#[derive(Clone, Debug)]
pub(super) struct Revision(Arc<KeyFile>);

impl Google {
    pub(super) fn new(key_file: Option<&Path>, surroundings: Arc<Surroundings>) -> Self {
        let file = place(key_file, &surroundings.environment)
            .map(|(path, is_named)| Place { file: Watched::new(path, KeyFile::parse), is_named });
        Self { surroundings, file }
    }
}

/// The file that counts: the configuration's, the variable's, gcloud's own where it is there
/// (<https://cloud.google.com/docs/authentication/application-default-credentials>).
fn place(configured: Option<&Path>, environment: &Environment) -> Option<(PathBuf, bool)> {
    let path = |name| environment.variable(name).map(|path| PathBuf::from(path.expose()));
    if let Some(named) = configured.map(Path::to_owned).or_else(|| path("GOOGLE_APPLICATION_CREDENTIALS")) {
        return Some((named, true));
    }
    let folder = path("CLOUDSDK_CONFIG").or_else(|| Some(environment.home()?.join(".config/gcloud")))?;
    Some((folder.join("application_default_credentials.json"), false))
}

impl Lender for Google {
    type Key = Account;

    async fn key(&self, _wanted: &Wanted<'_>) -> Result<Account, CredentialError> {
        let Some(Place { file, is_named }) = &self.file else { return Ok(Account::Machine) };
        match file.current().await {
            Ok(file) => Ok(Account::File(Revision(file))),
            Err(Lacking::Missing) if !is_named => Ok(Account::Machine),
            Err(_) => file.required().await.map(|file| Account::File(Revision(file))),
        }
    }

    async fn lend(self: Arc<Self>, account: Account) -> Result<Lent, Failure> {
        match account {
            Account::File(Revision(file)) => file.access_token(&self.surroundings).await,
            Account::Machine => metadata::access_token(&self.surroundings).await,
        }
    }

    fn troubles(&self) -> Troubles<'_> {
        Box::pin(async {
            let Some(Place { file, is_named }) = &self.file else { return Vec::new() };
            file.trouble(*is_named).await.into_iter().collect()
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

/// The reply of a token endpoint (RFC 6749, section 5.1).
fn granted(answer: &Answer, source: String) -> Result<Lent, Failure> {
    Ok(lent(answer.token("access_token")?, answer.lifetime("expires_in")?, source))
}

fn lent(token: Secret, lifetime: Duration, source: String) -> Lent {
    let credential = Credential::Password { username: "oauth2accesstoken".into(), password: token };
    Lent { credential, lifetime, source }
}

/// Artifact Registry has no narrower one.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_ENDPOINT: &str = "https://oauth2.googleapis.com/token";

pub(super) const VARIABLES: &[&str] =
    &["CLOUDSDK_CONFIG", "GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT", "GOOGLE_APPLICATION_CREDENTIALS"];

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn the_file_is_looked_for_where_google_s_own_tools_look() {
        let all = [("GOOGLE_APPLICATION_CREDENTIALS", "/v.json"), ("CLOUDSDK_CONFIG", "/c"), ("HOME", "/h")];
        for (configured, variables, file) in [
            (Some("/k.json"), &all[..], Some(("/k.json", true))),
            (None, &all[..], Some(("/v.json", true))),
            (None, &all[1..], Some(("/c/application_default_credentials.json", false))),
            (None, &all[2..], Some(("/h/.config/gcloud/application_default_credentials.json", false))),
            (None, &[], None),
        ] {
            let environment = Environment::read(|name| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            });
            let found = place(configured.map(Path::new), &environment);
            assert_eq!(found, file.map(|(path, is_named)| (path.into(), is_named)), "{configured:?} {variables:?}");
        }
    }
}

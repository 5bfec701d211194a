//! What the shared files say about a profile, as far as it has to be known before a key is looked for.

use std::io::ErrorKind;

use super::outside::Outside;
use crate::credential::CredentialError;

/// A profile in the two files.
#[derive(Debug)]
pub(super) struct Profile {
    name: String,
    is_there: bool,
    keys: Vec<String>,
    /// Where it was looked for.
    files: [String; 2],
}

impl Profile {
    /// A file that is there and cannot be read is not skipped: whoever wrote it means it.
    pub(super) async fn read(outside: &Outside, name: &str) -> Result<Self, CredentialError> {
        let [credentials, config] = outside.shared_files();
        let section = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let mut keys = None;
        for (file, section) in [(&credentials, name), (&config, &section)] {
            let text = match outside.read(file).await {
                Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Err(CredentialError::new(format!("cannot read the AWS file {file}: {error}")));
                }
                outcome => outcome.unwrap_or_default(),
            };
            let found = keys_of(&String::from_utf8_lossy(&text), section);
            keys = keys.into_iter().chain(found).reduce(|all: Vec<String>, more| [all, more].concat());
        }
        let is_there = keys.is_some();
        Ok(Self { name: name.to_owned(), is_there, keys: keys.unwrap_or_default(), files: [credentials, config] })
    }

    /// Whether it is what was meant: there, when it was named, and nobody but the key that is read.
    pub(super) fn check(&self, is_named: bool) -> Result<(), CredentialError> {
        if is_named && !self.is_there {
            let [credentials, config] = &self.files;
            let what = format!("there is no AWS profile {} in {credentials} or {config}", self.name);
            return Err(CredentialError::new(format!("{what}; correct its name or add it there")));
        }
        let has = |key: &str| self.keys.iter().any(|known| known == key);
        let not_built = ["role_arn", "source_profile", "credential_source", "web_identity_token_file"];
        let sso = Some("sso_session").filter(|key| has(key) && !has("sso_start_url"));
        let Some(key) = not_built.into_iter().find(|key| has(key)).or(sso) else { return Ok(()) };
        let Self { name, .. } = self;
        let instead = if key == "sso_session" {
            format!(
                "write credential_process = aws configure export-credentials --profile {name} into another profile and name that"
            )
        } else {
            "set 'role' of the registry's credential, with 'profile' for who assumes it".to_owned()
        };
        Err(CredentialError::new(format!("the AWS profile {name} has {key}, which is not read here; {instead}")))
    }

    /// The profile was asked for by name, and that was all there is.
    pub(super) fn lacks_a_key(&self) -> CredentialError {
        let name = &self.name;
        CredentialError::new(format!("the AWS profile {name} has no key, no SSO login and no credential_process"))
    }
}

/// The names of a section's keys; `None` without the section.
fn keys_of(text: &str, section: &str) -> Option<Vec<String>> {
    let (mut keys, mut is_inside) = (None, false);
    for line in text.lines() {
        if let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            is_inside = header.0.split_whitespace().eq(section.split_whitespace());
            if is_inside {
                keys.get_or_insert_with(Vec::new);
            }
        } else if let (true, Some((key, _)), Some(keys)) = (is_inside, line.split_once('='), &mut keys) {
            keys.push(key.trim().to_owned());
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[default]\nregion = a\n# role_arn\n[profile dev]\nrole_arn=x\n  source_profile = default\n[ profile  sso ]\nsso_session = s\n";

    fn profile(name: &str, section: &str) -> Profile {
        let keys = keys_of(CONFIG, section);
        let files = ["credentials".to_owned(), "config".to_owned()];
        Profile { name: name.to_owned(), is_there: keys.is_some(), keys: keys.unwrap_or_default(), files }
    }

    #[test]
    fn sections_are_found_by_their_name() {
        assert_eq!(keys_of(CONFIG, "default").unwrap(), ["region"]);
        assert_eq!(keys_of(CONFIG, "profile dev").unwrap(), ["role_arn", "source_profile"]);
        assert_eq!(keys_of(CONFIG, "dev"), None);
    }

    #[test]
    fn a_profile_that_means_somebody_else_is_refused() {
        assert!(profile("default", "default").check(false).is_ok() && profile("gone", "gone").check(false).is_ok());
        let told = |name, section| profile(name, section).check(true).unwrap_err().to_string();
        assert!(told("dev", "profile dev").contains("has role_arn, which is not read here; set 'role'"));
        assert!(told("sso", "profile sso").contains("export-credentials --profile sso"));
        let missing = told("gone", "profile gone");
        assert!(missing.contains("no AWS profile gone in credentials or config"), "{missing}");
    }
}

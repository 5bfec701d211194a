//! The format of docker's `config.json` and podman's `auth.json`.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::key::{ConfigKey, Specificity};
use crate::base::secret::Secret;
use crate::base::watched_file::FileError;
use crate::credential::{Credential, CredentialError, CredentialRequest, ResolvedCredential};

/// The credentials and helper names in one file.
#[derive(Debug)]
pub struct DockerFile {
    auths: Vec<(ConfigKey, Entry)>,
    /// `credHelpers`. An empty name means that no helper is used for the registry, not even the default one.
    helpers: Vec<(ConfigKey, Box<str>)>,
    /// `credsStore`, the default helper.
    store: Option<Box<str>>,
}

/// An entry of `auths`.
#[derive(Debug)]
enum Entry {
    Credential(ResolvedCredential),
    /// An entry without content, which docker writes for a credential in the store.
    Empty,
    Invalid(CredentialError),
}

/// What a file has for a registry.
#[derive(Debug)]
pub enum Lookup<'a> {
    Credential(&'a ResolvedCredential),
    Invalid(&'a CredentialError),
    Helper(HelperEntry<'a>),
    None,
}

/// A helper that may have the credential.
#[derive(Debug)]
pub struct HelperEntry<'a> {
    pub helper: &'a str,
    /// The registry's key in the file. `None` if the file has no entry for it and the helper is the default one.
    pub key: Option<&'a str>,
}

impl DockerFile {
    /// Parses a file. Error messages contain line and column and never quote the file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let raw: Raw = serde_json::from_str(text).map_err(|error| {
            let problem = match error.classify() {
                _ if text.is_empty() => "the file is empty",
                serde_json::error::Category::Data => "a value has the wrong type",
                _ => "the file is not well-formed JSON",
            };
            let (path, line, column) = (path.display(), error.line(), error.column());
            FileError::new(format!("{path}:{line}:{column}: {problem}; repair the file or log in again"))
        })?;
        let auths = raw.auths.unwrap_or_default().into_iter().map(|(text, entry)| {
            let entry = Entry::new(path, &text, entry.unwrap_or_default());
            (ConfigKey::parse(&text), entry)
        });
        let helpers = raw.cred_helpers.unwrap_or_default().into_iter();
        Ok(Self {
            auths: auths.collect(),
            helpers: helpers.map(|(text, name)| (ConfigKey::parse(&text), name.unwrap_or_default().into())).collect(),
            store: raw.creds_store.filter(|name| !name.is_empty()).map(Into::into),
        })
    }

    /// Looks in `credHelpers`, then in `auths`, then in `credsStore`. A helper named in `credHelpers` excludes the
    /// other two; an entry with an empty name excludes only `credsStore`.
    pub fn lookup(&self, request: &CredentialRequest<'_>) -> Lookup<'_> {
        let own_helper = most_specific(&self.helpers, request, |_| true);
        if let Some((key, helper)) = own_helper
            && !helper.is_empty()
        {
            return Lookup::Helper(HelperEntry { helper, key: Some(key.as_str()) });
        }
        match most_specific(&self.auths, request, |entry| !matches!(entry, Entry::Empty)) {
            Some((_, Entry::Credential(credential))) => return Lookup::Credential(credential),
            Some((_, Entry::Invalid(error))) => return Lookup::Invalid(error),
            Some((_, Entry::Empty)) | None => {}
        }
        match &self.store {
            Some(helper) if own_helper.is_none() => {
                let key = most_specific(&self.auths, request, |_| true).map(|(key, _)| key.as_str());
                Lookup::Helper(HelperEntry { helper, key })
            }
            _ => Lookup::None,
        }
    }

    /// Every helper named in the file.
    pub fn helpers(&self) -> impl Iterator<Item = &str> {
        self.helpers.iter().map(|(_, helper)| helper).chain(&self.store).map(|helper| &**helper)
    }
}

/// The most specific key for a request, with its value.
fn most_specific<'a, V>(
    table: &'a [(ConfigKey, V)],
    request: &CredentialRequest<'_>,
    counts: impl Fn(&V) -> bool,
) -> Option<(&'a ConfigKey, &'a V)> {
    let candidates = table.iter().filter(|(_, value)| counts(value));
    let ranked = candidates.filter_map(|(key, value)| Some((key.specificity(request)?, key, value)));
    // Of equally specific keys the alphabetically first is used (the table is sorted), so that the outcome is always
    // the same.
    let best = ranked.reduce(|best: (Specificity, _, _), next| if next.0 > best.0 { next } else { best });
    best.map(|(_, key, value)| (key, value))
}

impl Entry {
    fn new(path: &Path, key: &str, raw: RawEntry) -> Self {
        match raw.credential() {
            Ok(Some(credential)) => Self::Credential(ResolvedCredential::new(credential, path.display().to_string())),
            Ok(None) => Self::Empty,
            Err(InvalidAuth) => Self::Invalid(CredentialError::new(format!(
                "{}: the `auth` of {key:?} is not user:password in base64; log in again",
                path.display()
            ))),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Raw {
    auths: Option<BTreeMap<String, Option<RawEntry>>>,
    cred_helpers: Option<BTreeMap<String, Option<String>>>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawEntry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

struct InvalidAuth;

impl RawEntry {
    /// If an entry has several credentials, uses the first of: registry token, identity token, user name and password.
    fn credential(self) -> Result<Option<Credential>, InvalidAuth> {
        let non_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = non_empty(self.registrytoken) {
            return Ok(Some(Credential::Bearer { token: Secret::new(token) }));
        }
        let (username, password) = match non_empty(self.auth) {
            Some(auth) => decode(&auth)?,
            None => (self.username.unwrap_or_default(), Secret::new(self.password.unwrap_or_default())),
        };
        if let Some(token) = non_empty(self.identitytoken) {
            let username = non_empty(Some(username)).map(Into::into);
            return Ok(Some(Credential::Identity { username, token: Secret::new(token) }));
        }
        Ok((!password.is_empty() || !username.is_empty())
            .then(|| Credential::from_username_and_secret(username, password)))
    }
}

fn decode(auth: &str) -> Result<(String, Secret), InvalidAuth> {
    let bytes = Zeroizing::new(LENIENT.decode(auth.trim()).map_err(|_| InvalidAuth)?);
    let text = str::from_utf8(&bytes).map_err(|_| InvalidAuth)?;
    let (username, password) = text.split_once(':').ok_or(InvalidAuth)?;
    // Old versions of docker padded the password with NUL.
    Ok((username.to_owned(), Secret::new(password.trim_matches('\0'))))
}

/// Accepts base64 without padding, which some tools write.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests;

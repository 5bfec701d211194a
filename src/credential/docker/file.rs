//! The format of docker's `config.json` and podman's `auth.json`.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::key::{Closeness, Key};
use crate::base::secret::Secret;
use crate::credential::{Credential, CredentialError, Found, Wanted};

/// What one file says about logins.
#[derive(Debug)]
pub struct DockerFile {
    auths: Vec<(Key, Entry)>,
    /// An empty name means: not in a helper but in this file.
    helpers: Vec<(Key, Box<str>)>,
    store: Option<Box<str>>,
}

#[derive(Debug)]
enum Entry {
    Login(Found),
    /// No content: the login is in the store, or there was one.
    Empty,
    Broken(CredentialError),
}

/// What a file has for a registry.
#[derive(Debug)]
pub enum Lookup<'a> {
    Login(&'a Found),
    Broken(&'a CredentialError),
    Ask(Ask<'a>),
    Nothing,
}

/// The login is with a helper.
#[derive(Debug)]
pub struct Ask<'a> {
    pub helper: &'a str,
    /// The key that stands in the file. `None` when the store is only the default for everything.
    pub key: Option<&'a str>,
}

impl DockerFile {
    /// Errors name the place in the file and never quote it.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CredentialError> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| {
            let what = match error.classify() {
                _ if bytes.is_empty() => "it is empty",
                serde_json::error::Category::Data => "a value is of the wrong kind",
                _ => "it is not well-formed JSON",
            };
            let (path, line, column) = (path.display(), error.line(), error.column());
            CredentialError::new(format!("{path}:{line}:{column}: {what}; repair it or log in again"))
        })?;
        let auths = raw.auths.unwrap_or_default().into_iter().map(|(text, entry)| {
            let entry = Entry::new(path, &text, entry.unwrap_or_default());
            (Key::parse(&text), entry)
        });
        let helpers = raw.cred_helpers.unwrap_or_default().into_iter();
        Ok(Self {
            auths: auths.collect(),
            helpers: helpers.map(|(text, name)| (Key::parse(&text), name.unwrap_or_default().into())).collect(),
            store: raw.creds_store.filter(|name| !name.is_empty()).map(Into::into),
        })
    }

    /// A helper named for the registry decides alone; then the closest entry with content; then the store.
    pub fn lookup(&self, wanted: &Wanted<'_>) -> Lookup<'_> {
        let own = closest(&self.helpers, wanted, |_| true);
        if let Some((key, helper)) = own
            && !helper.is_empty()
        {
            return Lookup::Ask(Ask { helper, key: Some(key.as_str()) });
        }
        match closest(&self.auths, wanted, |entry| !matches!(entry, Entry::Empty)) {
            Some((_, Entry::Login(found))) => return Lookup::Login(found),
            Some((_, Entry::Broken(error))) => return Lookup::Broken(error),
            Some((_, Entry::Empty)) | None => {}
        }
        match &self.store {
            Some(helper) if own.is_none() => {
                let key = closest(&self.auths, wanted, |_| true).map(|(key, _)| key.as_str());
                Lookup::Ask(Ask { helper, key })
            }
            _ => Lookup::Nothing,
        }
    }

    /// Every helper that may be asked because of this file.
    pub fn helpers(&self) -> impl Iterator<Item = &str> {
        self.helpers.iter().map(|(_, helper)| helper).chain(&self.store).map(|helper| &**helper)
    }
}

/// The value under the key that names most closely what is wanted.
fn closest<'a, V>(table: &'a [(Key, V)], wanted: &Wanted<'_>, counts: impl Fn(&V) -> bool) -> Option<(&'a Key, &'a V)> {
    let candidates = table.iter().filter(|(_, value)| counts(value));
    let ranked = candidates.filter_map(|(key, value)| Some((key.closeness(wanted)?, key, value)));
    // The first of equals, so that the answer does not depend on how the table is walked.
    let best = ranked.reduce(|best: (Closeness, _, _), next| if next.0 > best.0 { next } else { best });
    best.map(|(_, key, value)| (key, value))
}

impl Entry {
    fn new(path: &Path, key: &str, raw: RawEntry) -> Self {
        match raw.credential() {
            Ok(Some(credential)) => Self::Login(Found::new(credential, path.display().to_string())),
            Ok(None) => Self::Empty,
            Err(BadAuth) => Self::Broken(CredentialError::new(format!(
                "{}: the 'auth' of {key:?} is not the base64 of user:password; log in again",
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

struct BadAuth;

impl RawEntry {
    /// The most direct login wins: a token for the registry, a token for its token service, a password.
    fn credential(self) -> Result<Option<Credential>, BadAuth> {
        let full = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = full(self.registrytoken) {
            return Ok(Some(Credential::Bearer { token: Secret::new(token) }));
        }
        let login = match full(self.auth) {
            Some(auth) => decode(&auth)?,
            None => (self.username.unwrap_or_default(), Secret::new(self.password.unwrap_or_default())),
        };
        if let Some(token) = full(self.identitytoken) {
            let username = full(Some(login.0)).map(Into::into);
            return Ok(Some(Credential::Identity { username, token: Secret::new(token) }));
        }
        let (username, password) = login;
        Ok((!password.is_empty() || !username.is_empty()).then(|| Credential::from_login(username, password)))
    }
}

fn decode(auth: &str) -> Result<(String, Secret), BadAuth> {
    let bytes = Zeroizing::new(LENIENT.decode(auth.trim()).map_err(|_| BadAuth)?);
    let text = str::from_utf8(&bytes).map_err(|_| BadAuth)?;
    let (username, password) = text.split_once(':').ok_or(BadAuth)?;
    // Old versions of docker padded with NUL.
    Ok((username.to_owned(), Secret::new(password.trim_matches('\0'))))
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests;

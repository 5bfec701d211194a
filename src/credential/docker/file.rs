//! The credentials and helper names in docker's `config.json`, in a `.dockercfg`, or in podman's `auth.json`.

use std::path::Path;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::document::{Document, RawEntry};
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
    /// The number of entries in the form of `.dockercfg` beside `auths`, which do not count.
    ignored_entries: usize,
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
    /// The entry with this key, as in the file, is empty, and no helper is named that may have the credential.
    EmptyEntry(&'a str),
    None,
}

/// An entry or key of a file that has no effect, for `regpass check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// Where in the file, such as `auths."*.example/team*"`. A key that is no host is not repeated: it may be a secret.
    pub key: String,
    pub what: &'static str,
    pub hint: &'static str,
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
        Self::parse_named(&path.display().to_string(), text, "repair the file or log in again")
    }

    /// Parses the text of a file or variable with this name. `hint` completes messages of errors.
    pub fn parse_named(name: &str, text: &str, hint: &str) -> Result<Self, FileError> {
        let document = Document::parse(text).map_err(|error| {
            let problem = match error.classify() {
                _ if text.is_empty() => "the file is empty",
                serde_json::error::Category::Data => "a value has the wrong type",
                _ => "it is not well-formed JSON",
            };
            let (line, column) = (error.line(), error.column());
            FileError::new(format!("{name}:{line}:{column}: {problem}; {hint}"))
        })?;
        let auths = document.auths.into_iter().map(|(text, entry)| {
            let entry = Entry::new(name, &text, entry);
            (ConfigKey::parse(&text), entry)
        });
        let helpers = document.cred_helpers.into_iter();
        Ok(Self {
            auths: auths.collect(),
            helpers: helpers.map(|(text, helper)| (ConfigKey::parse(&text), helper.trim().into())).collect(),
            store: document.creds_store.as_deref().map(str::trim).filter(|store| !store.is_empty()).map(Into::into),
            ignored_entries: document.ignored_entries,
        })
    }

    /// Looks in `credHelpers`, then in `auths`, then in `credsStore`. A helper named in `credHelpers` excludes the
    /// other two; an entry with an empty name excludes only `credsStore`.
    pub fn lookup(&self, request: &CredentialRequest<'_>) -> Lookup<'_> {
        // docker compares these keys only as they are.
        let own_helper = most_specific(&self.helpers, request, |_| true)
            .filter(|(key, _)| key.specificity(request) >= Some(Specificity::Url));
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
        let key = most_specific(&self.auths, request, |_| true).map(|(key, _)| key.as_str());
        match (&self.store, key) {
            (Some(helper), key) if own_helper.is_none() => Lookup::Helper(HelperEntry { helper, key }),
            (_, Some(key)) => Lookup::EmptyEntry(key),
            (_, None) => Lookup::None,
        }
    }

    /// What in the file has no effect.
    pub fn oddities(&self) -> Vec<Oddity> {
        let auths = self.auths.iter().enumerate().flat_map(|(index, (key, entry))| {
            let has_no_helper =
                self.store.is_none() && self.helpers.iter().all(|(helper, _)| helper.as_str() != key.as_str());
            let of_entry = match entry {
                Entry::Invalid(_) => Some(INVALID_AUTH),
                Entry::Empty if has_no_helper => Some(EMPTY_ENTRY),
                Entry::Empty | Entry::Credential(_) => None,
            };
            let of_key = match key {
                key if !key.is_valid() => Some(NOT_A_HOST),
                key if key.has_wildcard_in_path() => Some(WILDCARD_IN_PATH),
                _ => None,
            };
            of_key.into_iter().chain(of_entry).map(move |oddity| (key_name("auths", index, key), oddity))
        });
        let helpers = self.helpers.iter().enumerate().filter_map(|(index, (key, _))| {
            let oddity =
                if key.is_pattern() { Some(PATTERN_OF_HELPER) } else { (!key.is_valid()).then_some(NOT_A_HOST) };
            oddity.map(|oddity| (key_name("credHelpers", index, key), oddity))
        });
        let ignored = (self.ignored_entries > 0).then(|| ("auths".to_owned(), IGNORED_ENTRIES));
        let all = auths.chain(helpers).chain(ignored);
        all.map(|(key, (what, hint))| Oddity { key, what, hint }).collect()
    }

    /// Whether the file has neither an entry nor a helper.
    pub fn has_nothing(&self) -> bool {
        self.auths.is_empty() && self.helpers.is_empty() && self.store.is_none()
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
    fn new(file: &str, key: &str, raw: RawEntry) -> Self {
        match credential(raw) {
            Ok(Some(credential)) => Self::Credential(ResolvedCredential::new(credential, file)),
            Ok(None) => Self::Empty,
            Err(InvalidAuth) => Self::Invalid(CredentialError::new(format!(
                "{file}: the `auth` of {key:?} is not user:password in base64; log in again"
            ))),
        }
    }
}

/// The name of a key for messages.
fn key_name(table: &str, index: usize, key: &ConfigKey) -> String {
    if key.is_valid() { format!("{table}.{:?}", key.as_str()) } else { format!("{table}: entry {}, sorted", index + 1) }
}

struct InvalidAuth;

/// The credential of an entry. If the entry has several, the first of: registry token, identity token, user name and
/// password. `auth` precedes the members `username` and `password`, as in docker.
fn credential(raw: RawEntry) -> Result<Option<Credential>, InvalidAuth> {
    let non_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let Some(token) = non_empty(raw.registry_token) {
        return Ok(Some(Credential::Bearer { token: Secret::new(token) }));
    }
    let (username, password) = match raw.auth.filter(|auth| !auth.trim().is_empty()) {
        Some(auth) => decode(auth)?,
        None => (raw.username.unwrap_or_default(), Secret::new(raw.password.unwrap_or_default())),
    };
    if let Some(token) = non_empty(raw.identity_token) {
        let username = non_empty(Some(username)).map(Into::into);
        return Ok(Some(Credential::Identity { username, token: Secret::new(token) }));
    }
    Ok((!password.is_empty() || !username.is_empty()).then(|| Credential::from_username_and_secret(username, password)))
}

/// Decodes `auth`. Accepts what docker's decoder does, and what other tools write: line breaks in the base64, the
/// alphabet for URLs, no padding.
fn decode(auth: String) -> Result<(String, Secret), InvalidAuth> {
    let mut base64 = Zeroizing::new(auth.into_bytes());
    base64.retain(|byte| !byte.is_ascii_whitespace() && *byte != 0);
    for byte in base64.iter_mut() {
        match *byte {
            b'-' => *byte = b'+',
            b'_' => *byte = b'/',
            _ => {}
        }
    }
    let bytes = Zeroizing::new(LENIENT.decode(&*base64).map_err(|_| InvalidAuth)?);
    let text = str::from_utf8(&bytes).map_err(|_| InvalidAuth)?;
    let (username, password) = text.split_once(':').ok_or(InvalidAuth)?;
    // Old versions of docker padded the password with NUL; `echo user:password | base64` encodes the line end, too.
    Ok((username.to_owned(), Secret::new(password.trim_matches('\0').trim_end_matches(['\r', '\n', '\0']))))
}

/// Accepts base64 without padding, which some tools write.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const INVALID_AUTH: (&str, &str) = ("the `auth` of the entry is not user:password in base64", "log in again");
const EMPTY_ENTRY: (&str, &str) = (
    "the entry is empty, and the file names no credential helper that may have the credential",
    "log in again, or name the helper in `credsStore`",
);
const NOT_A_HOST: (&str, &str) =
    ("the key is not the host of a registry, so the entry matches none", "write a host, such as registry.example");
const WILDCARD_IN_PATH: (&str, &str) = (
    "the key matches no repository: a wildcard works in the host only",
    "leave out the wildcard; a path stands for every repository whose name starts with it",
);
const PATTERN_OF_HELPER: (&str, &str) = (
    "the key matches no registry: docker knows no wildcards in `credHelpers`",
    "name each registry, or name the helper in `credsStore`",
);
const IGNORED_ENTRIES: (&str, &str) =
    ("the file has entries beside `auths`, in the form of a .dockercfg; they have no effect", "move them into `auths`");

#[cfg(test)]
mod tests;

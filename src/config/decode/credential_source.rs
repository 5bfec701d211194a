//! The credential sources that need no cloud: what `source` may say, and the keys beside it.

use std::time::Duration;

use super::document::Section;
use super::secret::{path, secret};
use super::table_keys::Keys;
use crate::config::model::CredentialSource;
use crate::config::values;

/// A kind of credential source: the value of `source`, the keys that the `credential` table may have, and the function
/// that decodes the table.
pub(super) struct SourceKind {
    pub(super) name: &'static str,
    pub(super) keys: Keys,
    pub(super) decode: fn(&Section<'_>) -> Option<CredentialSource>,
}

pub(super) const SOURCE: (&str, &str) = ("source", "\"docker\"");
const TOKEN: (&str, &str) = ("token", "{ env = \"REGISTRY_TOKEN\" }");
const USERNAME: (&str, &str) = ("username", "\"name\"");

/// Default time for one run of a credential helper: enough for a keyring, and less than clients wait for an answer.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) const SOURCES: &[SourceKind] = &[
    SourceKind { name: "anonymous", keys: &[SOURCE], decode: |_| Some(CredentialSource::Anonymous) },
    SourceKind {
        name: "password",
        keys: &[SOURCE, USERNAME, ("password", "{ env = \"REGISTRY_PASSWORD\" }")],
        decode: |section| {
            let username = section.required("username").and_then(|entry| secret(&entry));
            let password = section.required("password").and_then(|entry| secret(&entry));
            Some(CredentialSource::Password { username: username?, password: password? })
        },
    },
    SourceKind {
        name: "identity",
        keys: &[SOURCE, TOKEN, USERNAME],
        decode: |section| {
            let token = section.required("token").and_then(|entry| secret(&entry));
            let username = section.get("username").and_then(|entry| secret(&entry));
            Some(CredentialSource::Identity { token: token?, username })
        },
    },
    SourceKind {
        name: "bearer",
        keys: &[SOURCE, TOKEN],
        decode: |section| {
            let token = section.required("token").and_then(|entry| secret(&entry))?;
            Some(CredentialSource::Bearer { token })
        },
    },
    SourceKind {
        name: "docker",
        keys: &[SOURCE, ("file", "\"/run/secrets/config.json\"")],
        decode: |section| {
            let file = section.get("file").and_then(|entry| path(&entry));
            Some(CredentialSource::Docker { file })
        },
    },
    SourceKind {
        name: "helper",
        keys: &[SOURCE, ("name", "\"pass\""), ("timeout", "\"10s\"")],
        decode: |section| {
            let name = section.required("name").and_then(|entry| entry.parse(values::helper_name));
            let timeout = section.get("timeout").and_then(|entry| entry.parse(values::duration));
            Some(CredentialSource::Helper { name: name?, timeout: timeout.unwrap_or(HELPER_TIMEOUT) })
        },
    },
];

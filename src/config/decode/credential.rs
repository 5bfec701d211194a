//! Credentials and the secrets in them.

use std::path::PathBuf;
use std::time::Duration;

use super::cloud;
use super::document::{Entry, Section};
use super::key::{self, Keys};
use crate::base::secret::Secret;
use crate::config::model::{CredentialSource, SecretSource, ValueOrigin};
use crate::config::problem::Fault;
use crate::config::values;

/// A kind of credential: the word for `source`, the keys beside it, and what is made of them.
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) keys: Keys,
    pub(super) decode: fn(&Section<'_>) -> Option<CredentialSource>,
}

pub(super) fn source(entry: &Entry<'_>) -> Option<CredentialSource> {
    if !entry.is_table() {
        entry.report(Fault::new("it is not a table with a source").hint(format!("write {EXAMPLE}")));
        return None;
    }
    let Some(word) = entry.peek(SOURCE.0, SOURCE.1) else {
        entry.report(Fault::new("source is missing").hint(format!("write {EXAMPLE}, or another of {}", names())));
        return None;
    };
    let text = word.text()?;
    let Some(source) = sources().find(|source| source.name == text) else {
        let hint = match key::nearest(text, sources().map(|source| source.name)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("sources are {}", names()),
        };
        word.report(Fault::new("there is no such source of credentials").hint(hint));
        return None;
    };
    (source.decode)(&entry.clone().section(source.keys)?)
}

/// A secret as a text, `{ env = "…" }` or `{ file = "…" }`.
pub(super) fn secret(entry: &Entry<'_>) -> Option<SecretSource> {
    if !entry.is_table() {
        let text = entry.text()?;
        if text.is_empty() {
            entry.report(Fault::new("it is empty"));
            return None;
        }
        return Some(SecretSource::Value { secret: Secret::new(text), origin: ValueOrigin::Literal });
    }
    let section = entry.clone().section(SECRET)?;
    match (section.get("env"), section.get("file")) {
        (Some(variable), None) => variable_value(&variable),
        (None, Some(file)) => path(&file).map(SecretSource::File),
        (env, file) => {
            let what = if env.is_some() && file.is_some() {
                "it names both env and file"
            } else {
                "it names neither env nor file"
            };
            entry.report(Fault::new(what).hint("write { env = \"VARIABLE\" } or { file = \"/path\" }"));
            None
        }
    }
}

fn variable_value(entry: &Entry<'_>) -> Option<SecretSource> {
    let name = entry.parse(values::variable)?;
    let fault = match entry.document.variables.text(&name) {
        Ok(Some(value)) => {
            return Some(SecretSource::Value { secret: Secret::new(value), origin: ValueOrigin::Variable(name) });
        }
        Ok(None) => Fault::new(format!("the environment variable {name} is unset or empty")),
        Err(why) => Fault::new(format!("the environment variable {name} is of no use: {why}")),
    };
    entry.report(fault.hint(format!("set {name} where regpass is started, or name a file: {{ file = \"/path\" }}")));
    None
}

/// A path, relative to the folder of the configuration.
pub(super) fn path(entry: &Entry<'_>) -> Option<PathBuf> {
    let fault = match entry.text()? {
        "" => Fault::new("it is empty"),
        text if text.starts_with('~') => {
            Fault::new("it starts with ~, which only a shell understands").hint("write the path from / on")
        }
        text => return Some(entry.document.resolve(text)),
    };
    entry.report(fault);
    None
}

/// Every kind of credential.
pub(super) fn sources() -> impl Iterator<Item = &'static Source> {
    SOURCES.iter().chain(cloud::SOURCES)
}

fn names() -> String {
    sources().map(|source| source.name).collect::<Vec<_>>().join(", ")
}

const EXAMPLE: &str = "{ source = \"docker\" }";
pub(super) const SOURCE: (&str, &str) = ("source", "\"docker\"");
const TOKEN: (&str, &str) = ("token", "{ env = \"REGISTRY_TOKEN\" }");
const USERNAME: (&str, &str) = ("username", "\"name\"");

/// Fits a helper that asks a keyring into the time in which a client hears something.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) const SECRET: Keys = &[("env", "\"REGISTRY_PASSWORD\""), ("file", "\"/run/secrets/registry\"")];

const SOURCES: &[Source] = &[
    Source { name: "anonymous", keys: &[SOURCE], decode: |_| Some(CredentialSource::Anonymous) },
    Source {
        name: "password",
        keys: &[SOURCE, USERNAME, ("password", "{ env = \"REGISTRY_PASSWORD\" }")],
        decode: |section| {
            let username = section.required("username").and_then(|entry| secret(&entry));
            let password = section.required("password").and_then(|entry| secret(&entry));
            Some(CredentialSource::Password { username: username?, password: password? })
        },
    },
    Source {
        name: "identity",
        keys: &[SOURCE, TOKEN, USERNAME],
        decode: |section| {
            let token = section.required("token").and_then(|entry| secret(&entry));
            let username = section.get("username").and_then(|entry| secret(&entry));
            Some(CredentialSource::Identity { token: token?, username })
        },
    },
    Source {
        name: "bearer",
        keys: &[SOURCE, TOKEN],
        decode: |section| {
            let token = section.required("token").and_then(|entry| secret(&entry))?;
            Some(CredentialSource::Bearer { token })
        },
    },
    Source {
        name: "docker",
        keys: &[SOURCE, ("file", "\"/run/secrets/config.json\"")],
        decode: |section| {
            let file = section.get("file").and_then(|entry| path(&entry));
            Some(CredentialSource::Docker { file })
        },
    },
    Source {
        name: "helper",
        keys: &[SOURCE, ("name", "\"pass\""), ("timeout", "\"10s\"")],
        decode: |section| {
            let name = section.required("name").and_then(|entry| entry.parse(values::helper_name));
            let timeout = section.get("timeout").and_then(|entry| entry.parse(values::duration));
            Some(CredentialSource::Helper { name: name?, timeout: timeout.unwrap_or(HELPER_TIMEOUT) })
        },
    },
];

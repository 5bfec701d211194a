//! Decodes secrets, and the paths of files that hold them.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::document::Entry;
use super::table_keys::Keys;
use crate::base::secret::Secret;
use crate::config::model::{CertificateFiles, SecretSource, ValueSource};
use crate::config::problem::Fault;
use crate::config::values;

/// A secret as a literal string, `{ env = "…" }` or `{ file = "…" }`. A variable is read now, a file when it is used.
pub(super) fn secret(entry: &Entry<'_>) -> Option<SecretSource> {
    if !entry.is_table() {
        let text = entry.text()?;
        if text.is_empty() {
            entry.report(Fault::new("the value is empty"));
            return None;
        }
        return Some(SecretSource::Value { secret: Secret::new(text), source: ValueSource::Literal });
    }
    let section = entry.clone().section(SECRET)?;
    match (section.get("env"), section.get("file")) {
        (Some(variable), None) => variable_value(&variable),
        (None, Some(file)) => path(&file).map(SecretSource::File),
        (env, file) => {
            let what = if env.is_some() && file.is_some() {
                "the table has both `env` and `file`"
            } else {
                "the table has neither `env` nor `file`"
            };
            entry.report(Fault::new(what).hint("write `{ env = \"VARIABLE\" }` or `{ file = \"/path\" }`"));
            None
        }
    }
}

fn variable_value(entry: &Entry<'_>) -> Option<SecretSource> {
    let name = entry.parse(values::variable)?;
    let value = entry.document.variables.text(&name).map(|value| value.map(Zeroizing::new));
    // As for a file: `--env-file` takes the line ends of a file that a Windows editor wrote into the values.
    let without_line_end = |value: &Zeroizing<String>| Secret::new(value.trim_end_matches(['\r', '\n']));
    let fault = match value.map(|value| value.as_ref().map(without_line_end).filter(|secret| !secret.is_empty())) {
        Ok(Some(secret)) => {
            return Some(SecretSource::Value { secret, source: ValueSource::Variable(name) });
        }
        Ok(None) => Fault::new(format!("the environment variable `{name}` is unset or empty")),
        Err(error) => Fault::new(format!("cannot use the environment variable `{name}`: {error}")),
    };
    let hint = format!("set `{name}` in the environment of regpass, or name a file: `{{ file = \"/path\" }}`");
    entry.report(fault.hint(hint));
    None
}

/// A path; a relative one is resolved against the folder of the configuration file.
pub(super) fn path(entry: &Entry<'_>) -> Option<PathBuf> {
    let fault = match entry.text()? {
        "" => Fault::new("the path is empty"),
        text if text.starts_with('~') => {
            Fault::new("the path starts with `~`, which only a shell expands").hint("write an absolute path")
        }
        text => return Some(entry.document.resolve(text)),
    };
    entry.report(fault);
    None
}

/// The table of a certificate chain and its private key, both as PEM files.
pub(super) fn certificate_files(entry: Entry<'_>) -> Option<CertificateFiles> {
    let section = entry.section(CERTIFICATE_FILES)?;
    let certificate = section.required("certificate").and_then(|entry| path(&entry));
    let key = section.required("key").and_then(|entry| path(&entry));
    Some(CertificateFiles { certificate: certificate?, key: key? })
}

pub(super) const SECRET: Keys = &[("env", "\"REGISTRY_PASSWORD\""), ("file", "\"/run/secrets/registry\"")];

pub(super) const CERTIFICATE_FILES: Keys = &[("certificate", "\"/path/cert.pem\""), ("key", "\"/path/key.pem\"")];

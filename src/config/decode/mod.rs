//! Decodes the text of a configuration file, and reports all of its problems at once.
//!
//! The code decodes by hand rather than with serde: serde stops at the first problem, and the errors of `toml` quote
//! their line, which may contain a password.

mod clients;
mod cloud;
mod credential;
mod credential_source;
mod document;
mod identity;
mod table_keys;
mod listener;
mod registry;
mod repositories;
mod secret;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use self::document::{Document, Section};
use self::table_keys::Keys;
use super::model::{Config, CredentialSource, Defaults, Registry, Timeouts};
use super::overrides::ParsedOverrides;
use super::problem::Problem;
use super::values;
use super::variables::Variables;
use crate::base::host::{HostPattern, RegistryHost};
use crate::oci::operation::Access;

/// The configuration that `text` and the flags and variables give, and every problem of `text`. `text` is empty when
/// there is no file. Where there are problems, the configuration holds what could be decoded in spite of them.
pub(super) fn decode(
    text: &str,
    file: Option<&Path>,
    overrides: &ParsedOverrides,
    variables: Variables<'_>,
) -> (Option<Config>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let root = DeValue::Table(table.into_inner());
    let document = Document::new(text, file, variables, errors);
    let config = document.root(&root, TOP).map(|root| config(&root, file, overrides));
    (config, document.into_problems())
}

fn config(root: &Section<'_>, file: Option<&Path>, overrides: &ParsedOverrides) -> Config {
    // Keys that a flag replaces are decoded, too, so that their problems are reported.
    let allow = root.get("allow").and_then(|entry| registry::access(&entry));
    let credential = root.get("credential").and_then(|entry| credential::credential(&entry));
    let defaults = Defaults {
        allow: overrides.allow.clone().or(allow).unwrap_or_else(|| BTreeSet::from([Access::Pull])),
        credential: overrides.credential.clone().or(credential).unwrap_or(CredentialSource::Anonymous),
        verify: root.get("verify").and_then(|entry| entry.boolean()).unwrap_or(true),
    };
    let mut registries = registry::registries(root, &defaults);
    // The flag `--registry` alone configures its registry, so a container can do without a file.
    if let Some(pin) = &overrides.registry
        && !registry::is_known(&pin.value, &registries)
    {
        registries.insert(0, Registry::with_defaults(HostPattern::Exact(pin.value.clone()), &defaults));
    }
    Config {
        file: file.map(Into::into),
        listeners: listener::listeners(root, overrides, &registries),
        admin: listener::admin(root, overrides, file.is_some()),
        default_registry: default_registry(root, &registries),
        timeouts: timeouts(root),
        upload_keys: root.get("upload_key").map(|entry| upload::keys(&entry)).unwrap_or_default(),
        upload_spool: root.get("upload_spool").and_then(|entry| upload::spool(&entry)).unwrap_or(DEFAULT_UPLOAD_SPOOL),
        defaults,
        registries,
    }
}

fn default_registry(root: &Section<'_>, registries: &[Registry]) -> RegistryHost {
    let from_file = root.get("default_registry").and_then(|entry| registry::known_registry(&entry, registries));
    from_file.unwrap_or_else(|| RegistryHost::parse(DEFAULT_REGISTRY).expect("the default is a valid host"))
}

fn timeouts(root: &Section<'_>) -> Timeouts {
    let mut timeouts = Timeouts::default();
    let Some(section) = root.get("timeouts").and_then(|entry| entry.section(TIMEOUTS)) else { return timeouts };
    for (name, timeout) in [
        ("connect", &mut timeouts.connect),
        ("token", &mut timeouts.token),
        ("response_head", &mut timeouts.response_head),
        ("body_idle", &mut timeouts.body_idle),
    ] {
        if let Some(duration) = section.get(name).and_then(|entry| entry.parse(values::duration)) {
            *timeout = duration;
        }
    }
    timeouts
}

const DEFAULT_REGISTRY: &str = "docker.io";
/// In bytes, for each upload.
const DEFAULT_UPLOAD_SPOOL: u64 = 64 * 1024 * 1024;

const TOP: Keys = &[
    ("default_registry", "\"docker.io\""),
    ("credential", "{ source = \"docker\" }"),
    ("allow", "[\"pull\"]"),
    ("verify", "true"),
    ("upload_key", "[{ file = \"/run/secrets/upload-key\" }]"),
    ("upload_spool", "\"64MiB\""),
    ("timeouts", "{ connect = \"5s\" }"),
    ("listener", "[{ address = \"127.0.0.1:5050\" }]"),
    ("admin", "{ address = \"127.0.0.1:5051\" }"),
    ("registry", "{ \"registry.example.com\" = { allow = [\"pull\"] } }"),
];

const TIMEOUTS: Keys =
    &[("connect", "\"5s\""), ("token", "\"10s\""), ("response_head", "\"30s\""), ("body_idle", "\"30s\"")];

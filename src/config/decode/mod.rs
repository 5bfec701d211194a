//! From the text of a file to the configuration, reporting everything that is wrong with it at once.
//!
//! The text is decoded by hand rather than by serde: serde stops at the first problem, and `toml`'s errors quote the
//! line they stand on, which may hold a password.

mod clients;
mod cloud;
mod credential;
mod document;
mod identity;
mod key;
mod listener;
mod registry;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use self::document::{Document, Entry, Section};
use self::key::Keys;
use super::model::{Config, CredentialSource, Defaults, Registry, Timeouts};
use super::overrides::Choices;
use super::problem::{Fault, Problem};
use super::values;
use super::variables::Variables;
use crate::base::host::{HostPattern, RegistryHost};
use crate::oci::operation::Access;
use crate::profile;

/// Without a file, `text` is empty. Where there are problems, the configuration is what could be understood.
pub(super) fn decode(
    text: &str,
    file: Option<&Path>,
    choices: &Choices,
    variables: Variables<'_>,
) -> (Option<Config>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let root = DeValue::Table(table.into_inner());
    let document = Document::new(text, file, variables, errors);
    let config = document.root(&root, TOP).map(|root| config(&root, file, choices));
    (config, document.into_problems())
}

fn config(root: &Section<'_>, file: Option<&Path>, choices: &Choices) -> Config {
    // Also what a flag replaces is decoded, so that its problems are seen.
    let allow = root.get("allow").and_then(|entry| access(&entry));
    let credential = root.get("credential").and_then(|entry| credential::source(&entry));
    let defaults = Defaults {
        allow: choices.allow.clone().or(allow).unwrap_or_else(|| BTreeSet::from([Access::Pull])),
        credential: choices.credential.clone().or(credential).unwrap_or(CredentialSource::Anonymous),
    };
    let mut registries = registry::registries(root, &defaults);
    // Who pins regpass to a registry by a flag has configured it: a container needs no file for that.
    if let Some(pin) = &choices.registry
        && unknown_registry(&pin.value, &registries).is_some()
    {
        registries.insert(0, Registry::plain(HostPattern::Exact(pin.value.clone()), &defaults));
    }
    Config {
        file: file.map(Into::into),
        listeners: listener::listeners(root, choices, &registries),
        admin: listener::admin(root, choices, file.is_some()),
        default_registry: default_registry(root, &registries),
        timeouts: timeouts(root),
        upload_keys: root.get("upload_key").map(|entry| upload::keys(&entry)).unwrap_or_default(),
        upload_spool: root.get("upload_spool").and_then(|entry| upload::spool(&entry)).unwrap_or(UPLOAD_SPOOL),
        defaults,
        registries,
    }
}

fn default_registry(root: &Section<'_>, registries: &[Registry]) -> RegistryHost {
    let written = root.get("default_registry").and_then(|entry| known_registry(&entry, registries));
    written.unwrap_or_else(|| RegistryHost::parse(DEFAULT_REGISTRY).expect("a host name"))
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
        if let Some(written) = section.get(name).and_then(|entry| entry.parse(values::duration)) {
            *timeout = written;
        }
    }
    timeouts
}

fn access(entry: &Entry<'_>) -> Option<BTreeSet<Access>> {
    entry.parse_list(values::access).map(BTreeSet::from_iter)
}

/// A registry that requests may be sent to.
fn known_registry(entry: &Entry<'_>, registries: &[Registry]) -> Option<RegistryHost> {
    let host = entry.parse(values::registry)?;
    match unknown_registry(&host, registries) {
        Some(fault) => {
            entry.report(fault);
            None
        }
        None => Some(host),
    }
}

fn unknown_registry(host: &RegistryHost, registries: &[Registry]) -> Option<Fault> {
    let known = profile::is_well_known(host) || registries.iter().any(|registry| registry.pattern.matches(host));
    (!known).then(|| {
        Fault::new(format!("the registry {host} is neither well-known nor configured"))
            .hint(format!("add a table for it: [registry.\"{host}\"]"))
    })
}

const DEFAULT_REGISTRY: &str = "docker.io";
const UPLOAD_SPOOL: u64 = 64 * 1024 * 1024;

const TOP: Keys = &[
    ("default_registry", "\"docker.io\""),
    ("credential", "{ source = \"docker\" }"),
    ("allow", "[\"pull\"]"),
    ("upload_key", "[{ file = \"/run/secrets/upload-key\" }]"),
    ("upload_spool", "\"64MiB\""),
    ("timeouts", "{ connect = \"5s\" }"),
    ("listener", "[{ address = \"127.0.0.1:5050\" }]"),
    ("admin", "{ address = \"127.0.0.1:5051\" }"),
    ("registry", "{ \"registry.example.com\" = { allow = [\"pull\"] } }"),
];

const TIMEOUTS: Keys =
    &[("connect", "\"5s\""), ("token", "\"10s\""), ("response_head", "\"30s\""), ("body_idle", "\"30s\"")];

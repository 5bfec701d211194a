//! docker: `daemon.json`, and for the containerd image store a `hosts.toml` for each registry.
//!
//! dockerd has two image stores. The classic one uses the mirrors of `daemon.json`, for Docker Hub only, and its requests
//! do not name the registry, so Docker Hub has to be the registry that the listener serves by default. The containerd
//! image store, the default of new installations from 29.0 on, reads `certs.d/REGISTRY/hosts.toml` from 28.0 on; where that
//! has a mirror, `daemon.json` does not count. The classic store and older versions ignore `hosts.toml`. So both are
//! written, whichever store is in use.
//!
//! dockerd accepts plain HTTP on loopback addresses; any other address in an image name has to be in
//! `insecure-registries`. JSON has no comments, so regpass finds its entries again by their value.

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::bracket_list::BracketList;
use super::hosts_toml::HostsSupport;
use super::mirrors::{ListenerUrl, MirrorSet};
use super::version::ClientVersion;
use super::{FIX_FIRST, SetupError, text_edit};
use crate::base::origin::Scheme;

pub(super) const FILE: &str = "/etc/docker/daemon.json";
/// The folder of `hosts.toml`, beside `daemon.json`; so rootless dockerd has it in `~/.config/docker`.
pub(super) const HOSTS_FOLDER: &str = "certs.d";
const DOCKER_HUB: &str = "docker.io";

/// Whether this version reads `hosts.toml` (moby daemon/hosts.go, since 28.0.0). Older ones ignore it, so it is written for
/// an unknown version too.
pub(super) fn reads_hosts(version: Option<ClientVersion>) -> bool {
    version.is_none_or(|version| version >= ClientVersion::new(28, 0))
}

/// The features of the containerd client in dockerd: 29.1.0 is the first with containerd 2.2, 29.7.0 the first with 2.3
/// (vendor.mod of moby).
pub(super) fn hosts_support(version: Option<ClientVersion>) -> HostsSupport {
    HostsSupport::of(version, ClientVersion::new(29, 1), ClientVersion::new(29, 7))
}

/// Adds the mirror of Docker Hub to `daemon.json`.
pub(super) fn merge(set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    let hub = hub_listener(set);
    if hub.is_none() && !reads_hosts(set.client_version) {
        return Err(SetupError::of_file(
            "this version of dockerd supports mirrors of docker.io only, and docker.io was not requested or no listener \
             serves it by default",
            "leave `default_registry` at docker.io and name docker.io here, or pull by image names that start with the \
             address of regpass; see docs/clients.md",
        ));
    }
    let settings = settings(set, hub);
    if text.trim().is_empty() {
        return Ok(new_file(&settings));
    }
    let mut new = text.to_owned();
    for (key, value) in settings.iter().rev() {
        new = with_entry(&new, key, value)?;
    }
    Ok(new)
}

/// Removes the entries of regpass. The result is empty for a file that has exactly what regpass writes into an empty
/// one. Where no listener serves docker.io by default any more, the entries of every listener are removed.
pub(super) fn undo(set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    if text.trim().is_empty() || text == new_file(&settings(set, hub_listener(set))) {
        return Ok(String::new());
    }
    let listeners = hub_listener(set).map_or_else(|| set.listeners.iter().collect(), |hub| vec![hub]);
    let entries = listeners.into_iter().flat_map(|listener| settings(set, Some(listener)));
    entries.into_iter().try_fold(text.to_owned(), |text, (key, value)| without_entry(&text, key, &value))
}

pub(super) fn notes(set: &MirrorSet) -> Vec<String> {
    let version = set.client_version;
    let mut notes = Vec::new();
    if version.is_none() {
        notes.push(
            "the version of docker is unknown, so the files have only what every version reads; name it with \
             --client-version: from 29.1 on, lookups of signatures go through regpass, and from 29.7 on pushes"
                .to_owned(),
        );
    }
    let mut others = set.mirrors.iter().filter(|mirror| mirror.registry.as_str() != DOCKER_HUB);
    if let Some(prefix) = others.find_map(|mirror| mirror.image_prefix.as_ref()) {
        let limit = if reads_hosts(version) { "with its classic image store, dockerd" } else { "dockerd" };
        notes.push(format!(
            "{limit} uses mirrors for docker.io only; for other registries, put regpass in the image name: {prefix}/…"
        ));
    }
    notes
}

/// The listener that serves docker.io by default.
fn hub_listener(set: &MirrorSet) -> Option<&ListenerUrl> {
    let hub = set.mirrors.iter().find(|mirror| mirror.registry.as_str() == DOCKER_HUB && mirror.is_default);
    hub.map(|mirror| &mirror.listener)
}

/// The entries that regpass adds to `daemon.json`, as pairs of a key and an item of its list.
fn settings(set: &MirrorSet, hub: Option<&ListenerUrl>) -> Vec<(&'static str, String)> {
    let exposed = set.listeners.iter().filter(|listener| listener.scheme == Scheme::Http && !listener.is_loopback());
    let insecure = exposed.map(|listener| ("insecure-registries", listener.authority()));
    hub.map(|hub| ("registry-mirrors", hub.url())).into_iter().chain(insecure).collect()
}

/// A file with these entries only; empty without any.
fn new_file(settings: &[(&'static str, String)]) -> String {
    if settings.is_empty() {
        return String::new();
    }
    let mut members: Vec<(&str, Vec<String>)> = Vec::new();
    for (key, value) in settings {
        match members.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(format!("\"{value}\"")),
            None => members.push((key, vec![format!("\"{value}\"")])),
        }
    }
    let members = members.iter().map(|(key, values)| format!("  \"{key}\": [{}]", values.join(", ")));
    format!("{{\n{}\n}}\n", members.collect::<Vec<_>>().join(",\n"))
}

fn with_entry(text: &str, key: &str, value: &str) -> Result<String, SetupError> {
    let root = parse(text)?;
    let item = format!("\"{value}\"");
    let new = match root.get(key).map(|member| &member.value) {
        None => members(&root).with_first(text, &format!("\"{key}\": [{item}]")),
        Some(Value::Array(array)) if array.elements.iter().any(|element| is_value(element, value)) => text.to_owned(),
        Some(Value::Array(array)) => items(array).with_first(text, &item),
        Some(other) => {
            let line = text_edit::line_number(text, other.range().start);
            let hint = "write a list of addresses in brackets; regpass has not changed the file";
            return Err(SetupError::at_line(line, format!("`{key}` is not a list"), hint));
        }
    };
    Ok(new)
}

fn without_entry(text: &str, key: &str, value: &str) -> Result<String, SetupError> {
    let root = parse(text)?;
    let member = root.properties.iter().position(|member| member.name.as_str() == key);
    let Some((member, Value::Array(array))) = member.map(|at| (at, &root.properties[at].value)) else {
        return Ok(text.to_owned());
    };
    let is_entry = |element: &Value<'_>| element.as_string_lit().is_some_and(|text| text.value == value);
    match array.elements.iter().position(is_entry) {
        None => Ok(text.to_owned()),
        Some(_) if array.elements.len() == 1 => Ok(members(&root).without(text, member)),
        Some(at) => Ok(items(array).without(text, at)),
    }
}

/// Whether a list item is `value`. dockerd ignores a trailing slash of a mirror, so this function does too.
fn is_value(element: &Value<'_>, value: &str) -> bool {
    element.as_string_lit().is_some_and(|text| text.value.trim_end_matches('/') == value)
}

fn members(object: &Object<'_>) -> BracketList {
    let items = object.properties.iter().map(|member| member.range.start..member.range.end);
    BracketList { start: object.range.start + 1, items: items.collect() }
}

fn items(array: &jsonc_parser::ast::Array<'_>) -> BracketList {
    let items = array.elements.iter().map(|element| element.range().start..element.range().end);
    BracketList { start: array.range.start + 1, items: items.collect() }
}

fn parse(text: &str) -> Result<Object<'_>, SetupError> {
    // `parse_to_ast` below accepts comments and trailing commas, but dockerd rejects them.
    if let Err(error) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
        return Err(SetupError::at_line(error.line(), format!("invalid JSON object: {error}"), FIX_FIRST));
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
    let root = parsed.map_err(|error| {
        SetupError::at_line(error.line_display(), format!("invalid JSON: {}", error.kind()), FIX_FIRST)
    })?;
    match root.value {
        Some(Value::Object(object)) => without_duplicate_keys(text, object),
        _ => Err(SetupError::at_line(1, "the file is not a JSON object", FIX_FIRST)),
    }
}

/// Rejects an object with a duplicate key: parsers differ in which value they use.
fn without_duplicate_keys<'t>(text: &str, object: Object<'t>) -> Result<Object<'t>, SetupError> {
    let mut seen = std::collections::BTreeSet::new();
    match object.properties.iter().find(|member| !seen.insert(member.name.as_str())) {
        None => Ok(object),
        Some(duplicate) => Err(SetupError::at_line(
            text_edit::line_number(text, duplicate.range.start),
            format!("the key `{}` is in the file twice", duplicate.name.as_str()),
            "remove one of the two; regpass has not changed the file",
        )),
    }
}

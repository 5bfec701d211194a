//! podman, buildah and skopeo: `registries.conf`, version 2 of the format.
//!
//! Pulls go to the mirror first and to the registry itself when the mirror does not answer; pushes never go to a
//! mirror. The file also lists the plain-HTTP listeners of regpass, so that image names may start with their address
//! without `--tls-verify=false`.

use std::fmt::Write;

use toml::de::DeTable;

use super::mirrors::{Mirror, MirrorSet};
use super::toml_file::{TomlFile, checked, unsupported_layout};
use super::{SetupError, marks, text_edit};
use crate::base::origin::Scheme;

pub(super) const FILE: &str = "/etc/containers/registries.conf.d/regpass.conf";

pub(super) fn merge(set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    let mut rest = marks::without(text)?;
    let before = rest.clone();
    if TomlFile::parse(&rest)?.root.contains_key("registries") {
        return Err(SetupError::of_file(
            "the file is in version 1 of the format, which has no mirrors for single registries",
            "convert it to version 2 (`[[registry]]`, see containers-registries.conf(5)), or use another file: `--file`",
        ));
    }
    let mut new_tables = String::new();
    for location in plain_http_locations(set) {
        if !set.configured_elsewhere.contains(&location) && entry(&TomlFile::parse(&rest)?, &location).is_none() {
            write!(new_tables, "[[registry]]\nlocation = \"{location}\"\ninsecure = true\n\n")
                .expect("writing to a String does not fail");
        }
    }
    for mirror in own_mirrors(set) {
        let Some(prefix) = &mirror.image_prefix else { continue };
        let tables = TomlFile::parse(&rest)?;
        let lines = format!("[[registry.mirror]]\nlocation = \"{prefix}\"\n{}", insecure_line(mirror));
        match entry(&tables, mirror.registry.as_str()) {
            None => {
                let registry = &mirror.registry;
                let own = format!("[[registry]]\nprefix = \"{registry}\"\nlocation = \"{registry}\"\n\n");
                new_tables = new_tables + &own + &lines + "\n";
            }
            Some((_, registry)) if has_mirror(registry, prefix) => {}
            Some((at, _)) => {
                let headers = tables.headers();
                let mut following = headers.iter().skip_while(|header| header.start != at).skip(1);
                let next = following.next().map_or(rest.len(), |header| text_edit::above_comments(&rest, header.start));
                rest = text_edit::insert(&rest, next, &marks::block(0, &lines));
            }
        }
    }
    if !new_tables.is_empty() {
        rest = text_edit::insert(&rest, rest.len(), &marks::block(0, new_tables.trim_end()));
    }
    checked(&before, rest).and_then(|rest| if is_complete(set, &rest)? { Ok(rest) } else { Err(unsupported_layout()) })
}

pub(super) fn undo(text: &str) -> Result<String, SetupError> {
    marks::without(text)
}

pub(super) fn notes(set: &MirrorSet) -> Vec<String> {
    let reason = |mirror: &Mirror| match mirror.image_prefix {
        _ if set.configured_elsewhere.contains(mirror.registry.as_str()) => Some(
            "another file has an entry for it, which an entry in this file would replace; name that file with `--file`",
        ),
        None => Some("an image name cannot contain its port; give the registry an `alias`"),
        Some(_) => None,
    };
    let line = |mirror| reason(mirror).map(|reason| format!("left out: {}: {reason}", mirror.registry));
    set.mirrors.iter().filter_map(line).collect()
}

/// The registries that a file has entries for.
pub(super) fn configured_registries(text: &str) -> Result<Vec<String>, SetupError> {
    let tables = TomlFile::parse(text)?;
    let entries = tables.root.get("registry").and_then(|entries| entries.get_ref().as_array());
    let entries = entries.into_iter().flatten().filter_map(|entry| entry.get_ref().as_table());
    Ok(entries.filter_map(registry_of).map(str::to_owned).collect())
}

/// The mirrors of registries that no other file has entries for.
fn own_mirrors(set: &MirrorSet) -> impl Iterator<Item = &Mirror> {
    set.mirrors.iter().filter(|mirror| !set.configured_elsewhere.contains(mirror.registry.as_str()))
}

/// The registry or the prefix of image names that an entry applies to.
fn registry_of<'a>(entry: &'a DeTable<'_>) -> Option<&'a str> {
    entry.get("prefix").or_else(|| entry.get("location"))?.get_ref().as_str()
}

/// The hosts by which image names may name a listener without TLS.
fn plain_http_locations(set: &MirrorSet) -> Vec<String> {
    let plain_http = set.listeners.iter().filter(|listener| listener.scheme == Scheme::Http);
    let mut locations: Vec<String> = Vec::new();
    for listener in plain_http {
        let local = listener.is_loopback().then(|| format!("localhost:{}", listener.address.port()));
        for location in [Some(listener.image_host()), local].into_iter().flatten() {
            if !locations.contains(&location) {
                locations.push(location);
            }
        }
    }
    locations
}

/// The entry of a registry, with the byte offset of its header.
fn entry<'a, 't>(tables: &'a TomlFile<'t>, registry: &str) -> Option<(usize, &'a DeTable<'t>)> {
    let entries = tables.root.get("registry")?.get_ref().as_array()?;
    let headers = tables.headers();
    let headers = headers.iter().filter(|header| header.appends_to("registry")).map(|header| header.start);
    let entries = entries.iter().filter_map(|entry| entry.get_ref().as_table());
    headers.zip(entries).find(|(_, entry)| registry_of(entry) == Some(registry))
}

fn has_mirror(registry: &DeTable<'_>, location: &str) -> bool {
    let mirrors = registry.get("mirror").and_then(|mirrors| mirrors.get_ref().as_array());
    let is_at_location = |mirror: &toml::Spanned<toml::de::DeValue<'_>>| {
        mirror.get_ref().as_table().and_then(|mirror| mirror.get("location")?.get_ref().as_str()) == Some(location)
    };
    mirrors.is_some_and(|mirrors| mirrors.iter().any(is_at_location))
}

fn insecure_line(mirror: &Mirror) -> &'static str {
    match mirror.listener.scheme {
        Scheme::Http => "insecure = true\n",
        Scheme::Https => "",
    }
}

fn is_complete(set: &MirrorSet, text: &str) -> Result<bool, SetupError> {
    let tables = TomlFile::parse(text)?;
    Ok(own_mirrors(set).all(|mirror| {
        let found = entry(&tables, mirror.registry.as_str());
        mirror
            .image_prefix
            .as_ref()
            .is_none_or(|prefix| found.is_some_and(|(_, registry)| has_mirror(registry, prefix)))
    }))
}

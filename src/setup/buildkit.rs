//! buildkit: `buildkitd.toml`.
//!
//! buildkit names mirrors by host, without a scheme. `http = true` for a listener of regpass is therefore in a table
//! for the listener's address: in the table of a registry it would apply to the registry itself. buildkit sends `?ns=`
//! like containerd.

use std::fmt::Write;

use super::mirrors::MirrorSet;
use super::toml_file::{TomlFile, array_position, checked, index_of, unsupported_layout};
use super::{SetupError, marks, text_edit};
use crate::base::origin::Scheme;

pub(super) const FILE: &str = "/etc/buildkit/buildkitd.toml";

pub(super) fn merge(set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    let before = marks::without(text)?;
    let mut rest = before.clone();
    let mut new_tables = String::new();
    let mut plain_http: Vec<String> = Vec::new();
    for mirror in &set.mirrors {
        let listener = mirror.listener.authority();
        let mirrors = format!("mirrors = [\"{listener}\"]");
        rest = add(rest, mirror.registry.as_str(), "mirrors", &mirrors, &listener, &mut new_tables)?;
        if mirror.listener.scheme == Scheme::Http && !plain_http.contains(&listener) {
            plain_http.push(listener);
        }
    }
    for listener in plain_http {
        rest = add(rest, &listener, "http", "http = true", "", &mut new_tables)?;
    }
    if !new_tables.is_empty() {
        rest = text_edit::insert(&rest, rest.len(), &marks::block(0, new_tables.trim_end()));
    }
    checked(&before, rest)
}

/// Removes what is marked, and the listeners of regpass from lists of mirrors.
pub(super) fn undo(set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    let mut rest = marks::without(text)?;
    for listener in &set.listeners {
        let listener = listener.authority();
        while let Some(shorter) = without_mirror(&rest, &listener)? {
            rest = shorter;
        }
    }
    Ok(rest)
}

/// Adds `line`, which sets `key`, to the table of a registry. If the file has no such table, a table with `line` is
/// added to `new_tables`. If the key is set to a list, `item` becomes its first item; any other value stays as it is.
fn add(
    rest: String,
    registry: &str,
    key: &str,
    line: &str,
    item: &str,
    new_tables: &mut String,
) -> Result<String, SetupError> {
    let tables = TomlFile::parse(&rest)?;
    let registries = tables.table(&["registry"]);
    let Some(registries) = registries.filter(|registries| registries.contains_key(registry)) else {
        write!(new_tables, "[registry.\"{registry}\"]\n  {line}\n\n").expect("writing to a String does not fail");
        return Ok(rest);
    };
    let table = tables.table(&["registry", registry]).ok_or_else(unsupported_layout)?;
    let Some(value) = table.get(key) else {
        let header = tables.header_of(registries, registry).ok_or_else(unsupported_layout)?;
        return Ok(text_edit::insert(&rest, text_edit::next_line(&rest, header), &marks::line(&format!("  {line}"))));
    };
    match array_position(value) {
        Some(list) if index_of(value, item).is_none() => Ok(list.with_first(&rest, &format!("\"{item}\""))),
        _ => Ok(rest),
    }
}

fn without_mirror(text: &str, listener: &str) -> Result<Option<String>, SetupError> {
    let tables = TomlFile::parse(text)?;
    let registries = tables.table(&["registry"]).into_iter().flat_map(|registries| registries.values());
    let mut lists = registries.filter_map(|registry| registry.get_ref().as_table()?.get("mirrors"));
    let found = lists.find_map(|mirrors| Some((array_position(mirrors)?, index_of(mirrors, listener)?)));
    Ok(found.map(|(list, index)| list.without(text, index)))
}

//! buildkit: `buildkitd.toml`.
//!
//! Mirrors are hosts without a scheme; that of regpass is told in a table of its own. `http = true` in the table of the
//! registry would send requests for the registry itself over plain HTTP. buildkit adds `?ns=` like containerd.

use std::fmt::Write;

use super::tables::{Tables, changed, list, position, unfit};
use super::view::View;
use super::{Refusal, marks};
use crate::base::origin::Scheme;

pub(super) const FILE: &str = "/etc/buildkit/buildkitd.toml";

pub(super) fn merge(view: &View, text: &str) -> Result<String, Refusal> {
    let before = marks::without(text)?;
    let mut rest = before.clone();
    let mut new = String::new();
    let mut doors: Vec<String> = Vec::new();
    for mirror in &view.mirrors {
        let door = mirror.door.authority();
        let mirrors = format!("mirrors = [\"{door}\"]");
        rest = add(rest, mirror.registry.as_str(), "mirrors", &mirrors, &door, &mut new)?;
        if mirror.door.scheme == Scheme::Http && !doors.contains(&door) {
            doors.push(door);
        }
    }
    for door in doors {
        rest = add(rest, &door, "http", "http = true", "", &mut new)?;
    }
    if !new.is_empty() {
        rest = marks::insert(&rest, rest.len(), &marks::block(0, new.trim_end()));
    }
    changed(&before, rest)
}

/// Takes back what is marked, and regpass out of the lists of mirrors.
pub(super) fn undo(view: &View, text: &str) -> Result<String, Refusal> {
    let mut rest = marks::without(text)?;
    for door in &view.doors {
        let door = door.authority();
        while let Some(shorter) = without_mirror(&rest, &door)? {
            rest = shorter;
        }
    }
    Ok(rest)
}

/// Gives the table of a registry the line `key = …`. A table that is not there yet goes to `new`; a list that is there
/// gets `item` as its first; any other value stays as it is.
fn add(rest: String, registry: &str, key: &str, line: &str, item: &str, new: &mut String) -> Result<String, Refusal> {
    let tables = Tables::parse(&rest)?;
    let registries = tables.table(&["registry"]);
    let Some(registries) = registries.filter(|registries| registries.contains_key(registry)) else {
        write!(new, "[registry.\"{registry}\"]\n  {line}\n\n").expect("a String takes all");
        return Ok(rest);
    };
    let table = tables.table(&["registry", registry]).ok_or_else(unfit)?;
    let Some(value) = table.get(key) else {
        let header = tables.header_of(registries, registry).ok_or_else(unfit)?;
        return Ok(marks::insert(&rest, marks::next_line(&rest, header), &marks::line(&format!("  {line}"))));
    };
    match list(value) {
        Some(list) if position(value, item).is_none() => Ok(list.with_first(&rest, &format!("\"{item}\""))),
        _ => Ok(rest),
    }
}

fn without_mirror(text: &str, door: &str) -> Result<Option<String>, Refusal> {
    let tables = Tables::parse(text)?;
    let registries = tables.table(&["registry"]).into_iter().flat_map(|registries| registries.values());
    let mut lists = registries.filter_map(|registry| registry.get_ref().as_table()?.get("mirrors"));
    let found = lists.find_map(|mirrors| Some((list(mirrors)?, position(mirrors, door)?)));
    Ok(found.map(|(list, at)| list.without(text, at)))
}

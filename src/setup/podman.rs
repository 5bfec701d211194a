//! podman, buildah and skopeo: `registries.conf`, version 2.
//!
//! A mirror is asked first and the registry itself when it is not there; pushes never go to mirrors. The doors stand
//! there too, so that names of images may begin with them without `--tls-verify=false`.

use std::fmt::Write;

use toml::de::DeTable;

use super::tables::{Tables, changed, unfit};
use super::view::{Mirror, View};
use super::{Refusal, marks};
use crate::base::origin::Scheme;

pub(super) const FILE: &str = "/etc/containers/registries.conf.d/regpass.conf";

pub(super) fn merge(view: &View, text: &str) -> Result<String, Refusal> {
    let mut rest = marks::without(text)?;
    let before = rest.clone();
    if Tables::parse(&rest)?.root.contains_key("registries") {
        return Err(Refusal::whole(
            "it is written in version 1 of the format, which knows no mirrors of this kind",
            "write it in version 2 ([[registry]], see containers-registries.conf(5)), or use another file (--file)",
        ));
    }
    let mut new = String::new();
    for location in open_doors(view) {
        if !view.taken.contains(&location) && entry(&Tables::parse(&rest)?, &location).is_none() {
            write!(new, "[[registry]]\nlocation = \"{location}\"\ninsecure = true\n\n").expect("a String takes all");
        }
    }
    for mirror in here(view) {
        let Some(name) = &mirror.name else { continue };
        let tables = Tables::parse(&rest)?;
        let lines = format!("[[registry.mirror]]\nlocation = \"{name}\"\n{}", insecure(mirror));
        match entry(&tables, mirror.registry.as_str()) {
            None => {
                let registry = &mirror.registry;
                let own = format!("[[registry]]\nprefix = \"{registry}\"\nlocation = \"{registry}\"\n\n");
                new = new + &own + &lines + "\n";
            }
            Some((_, registry)) if has_mirror(registry, name) => {}
            Some((at, _)) => {
                let headers = tables.headers();
                let mut following = headers.iter().skip_while(|header| header.start != at).skip(1);
                let next = following.next().map_or(rest.len(), |header| marks::above_comments(&rest, header.start));
                rest = marks::insert(&rest, next, &marks::block(0, &lines));
            }
        }
    }
    if !new.is_empty() {
        rest = marks::insert(&rest, rest.len(), &marks::block(0, new.trim_end()));
    }
    changed(&before, rest).and_then(|rest| if is_complete(view, &rest)? { Ok(rest) } else { Err(unfit()) })
}

pub(super) fn undo(text: &str) -> Result<String, Refusal> {
    marks::without(text)
}

pub(super) fn advice(view: &View) -> Vec<String> {
    let reason = |mirror: &Mirror| match mirror.name {
        _ if view.taken.contains(mirror.registry.as_str()) => {
            Some("another file has an entry for it, which an entry here would replace; name that file with --file")
        }
        None => Some("a path takes no port; give it an 'alias'"),
        Some(_) => None,
    };
    let line = |mirror| reason(mirror).map(|reason| format!("left out: {}: {reason}", mirror.registry));
    view.mirrors.iter().filter_map(line).collect()
}

/// What the entries of a file are for.
pub(super) fn entries(text: &str) -> Result<Vec<String>, Refusal> {
    let tables = Tables::parse(text)?;
    let entries = tables.root.get("registry").and_then(|entries| entries.get_ref().as_array());
    let entries = entries.into_iter().flatten().filter_map(|entry| entry.get_ref().as_table());
    Ok(entries.filter_map(prefix).map(str::to_owned).collect())
}

/// The registries that no other file speaks of.
fn here(view: &View) -> impl Iterator<Item = &Mirror> {
    view.mirrors.iter().filter(|mirror| !view.taken.contains(mirror.registry.as_str()))
}

/// What an entry is for.
fn prefix<'a>(entry: &'a DeTable<'_>) -> Option<&'a str> {
    entry.get("prefix").or_else(|| entry.get("location"))?.get_ref().as_str()
}

/// The locations that mean a listener without TLS.
fn open_doors(view: &View) -> Vec<String> {
    let open = view.doors.iter().filter(|door| door.scheme == Scheme::Http);
    let mut locations: Vec<String> = Vec::new();
    for door in open {
        let local = door.is_loopback().then(|| format!("localhost:{}", door.address.port()));
        for location in [Some(door.name()), local].into_iter().flatten() {
            if !locations.contains(&location) {
                locations.push(location);
            }
        }
    }
    locations
}

/// The entry of a registry, and where its header is.
fn entry<'a, 't>(tables: &'a Tables<'t>, registry: &str) -> Option<(usize, &'a DeTable<'t>)> {
    let entries = tables.root.get("registry")?.get_ref().as_array()?;
    let headers = tables.headers();
    let headers = headers.iter().filter(|header| header.adds_to("registry")).map(|header| header.start);
    let entries = entries.iter().filter_map(|entry| entry.get_ref().as_table());
    headers.zip(entries).find(|(_, entry)| prefix(entry) == Some(registry))
}

fn has_mirror(registry: &DeTable<'_>, name: &str) -> bool {
    let mirrors = registry.get("mirror").and_then(|mirrors| mirrors.get_ref().as_array());
    let location = |mirror: &toml::Spanned<toml::de::DeValue<'_>>| {
        mirror.get_ref().as_table().and_then(|mirror| mirror.get("location")?.get_ref().as_str()) == Some(name)
    };
    mirrors.is_some_and(|mirrors| mirrors.iter().any(location))
}

fn insecure(mirror: &Mirror) -> &'static str {
    match mirror.door.scheme {
        Scheme::Http => "insecure = true\n",
        Scheme::Https => "",
    }
}

fn is_complete(view: &View, text: &str) -> Result<bool, Refusal> {
    let tables = Tables::parse(text)?;
    Ok(here(view).all(|mirror| {
        let found = entry(&tables, mirror.registry.as_str());
        mirror.name.as_ref().is_none_or(|name| found.is_some_and(|(_, registry)| has_mirror(registry, name)))
    }))
}

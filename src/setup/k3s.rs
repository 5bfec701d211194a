//! k3s and rke2: `registries.yaml`, from which they write the files of containerd when they start.
//!
//! Requests go to the endpoints of a mirror in their order, with `?ns=`, and to the registry itself when none of them
//! answers.

use super::bracket_list::BracketList;
use super::mirrors::{Mirror, MirrorSet};
use super::yaml_file::{Node, Value};
use super::{SetupError, marks, text_edit};

pub(super) const FILE: &str = "/etc/rancher/k3s/registries.yaml";
pub(super) const RKE2_FILE: &str = "/etc/rancher/rke2/registries.yaml";

/// The merge key of YAML. It brings in entries from elsewhere in the file, and a new entry of the same name would hide
/// those, so regpass rejects `mirrors`, or a registry's entry in it, with this key.
const MERGE_KEY: &str = "<<";

pub(super) fn merge(set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    let before = marks::without(text)?;
    let mut rest = before.clone();
    let mut new = Vec::new();
    for mirror in &set.mirrors {
        match add_endpoint(&rest, mirror)? {
            Some(longer) => rest = longer,
            None => new.push(mirror),
        }
    }
    if !new.is_empty() {
        rest = add_mirrors(&rest, &new)?;
    }
    check(set, &before, &rest)?;
    Ok(rest)
}

/// Removes what is marked, and the endpoints of regpass from lists in flow style, where there is no room for marks.
pub(super) fn undo(set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    let mut rest = marks::without(text)?;
    for listener in &set.listeners {
        while let Some(shorter) = without_endpoint(&rest, &listener.url())? {
            rest = shorter;
        }
    }
    Ok(rest)
}

/// Adds the listener to the registry's entry under `mirrors`; `None` if the file has no entry for the registry.
fn add_endpoint(text: &str, mirror: &Mirror) -> Result<Option<String>, SetupError> {
    let root = Node::parse(text)?;
    let Some(own) = root.as_ref().and_then(|root| root.get("mirrors")?.get(mirror.registry.as_str())) else {
        return Ok(None);
    };
    let url = mirror.listener.url();
    if own.get(MERGE_KEY).is_some() {
        return Err(unsupported_layout_at(text, own));
    }
    let Some(endpoint) = own.get("endpoint") else {
        let lines = format!("endpoint:\n  - \"{url}\"");
        return insert_first(text, own, &lines).map(Some);
    };
    let items = endpoint.items().ok_or_else(|| unsupported_layout_at(text, endpoint))?;
    if items.iter().any(|item| item.text().is_some_and(|known| known.trim_end_matches('/') == url)) {
        return Ok(Some(text.to_owned()));
    }
    if endpoint.is_flow(text) {
        return Ok(Some(list(endpoint, items).with_first(text, &format!("\"{url}\""))));
    }
    let first = items.first().ok_or_else(|| unsupported_layout_at(text, endpoint))?;
    let start = text_edit::line_start(text, first.start);
    let (space, _) = text[start..first.start].split_once('-').ok_or_else(|| unsupported_layout_at(text, first))?;
    Ok(Some(text_edit::insert(text, start, &marks::line(&format!("{space}- \"{url}\"")))))
}

/// Adds entries under `mirrors` for registries that the file has no entries for.
fn add_mirrors(text: &str, mirrors: &[&Mirror]) -> Result<String, SetupError> {
    let entry =
        |mirror: &&Mirror| format!("\"{}\":\n  endpoint:\n    - \"{}\"\n", mirror.registry, mirror.listener.url());
    let entries: String = mirrors.iter().map(entry).collect();
    let under = |entries: &str| format!("mirrors:\n  {}", entries.trim_end().replace('\n', "\n  "));
    let root = Node::parse(text)?;
    match root.as_ref().map(|root| (root, root.get("mirrors"))) {
        Some((root, None)) if matches!(root.value, Value::Scalar(_)) || root.is_flow(text) => {
            Err(unsupported_layout_at(text, root))
        }
        None | Some((_, None)) => Ok(text_edit::insert(text, text.len(), &marks::block(0, &under(&entries)))),
        Some((_, Some(own))) if own.get(MERGE_KEY).is_some() => Err(unsupported_layout_at(text, own)),
        Some((_, Some(own))) => insert_first(text, own, &entries),
    }
}

/// Inserts lines before the first entry of a mapping.
fn insert_first(text: &str, mapping: &Node, lines: &str) -> Result<String, SetupError> {
    match &mapping.value {
        Value::Mapping(_) if !mapping.is_flow(text) => {
            let start = text_edit::line_start(text, mapping.start);
            let space = &text[start..mapping.start];
            if !space.bytes().all(|byte| byte == b' ') {
                return Err(unsupported_layout_at(text, mapping));
            }
            Ok(text_edit::insert(text, text_edit::above_comments(text, start), &marks::block(space.len(), lines)))
        }
        _ => Err(unsupported_layout_at(text, mapping)),
    }
}

/// Checks that the change lost nothing, and that every mirror is in the file now.
fn check(set: &MirrorSet, before: &str, after: &str) -> Result<(), SetupError> {
    let (before, new) = (Node::parse(before)?, Node::parse(after));
    let Ok(Some(new)) = new else { return if set.mirrors.is_empty() { Ok(()) } else { Err(unsupported_layout()) } };
    let is_kept = before.is_none_or(|before| before.is_kept_in(&new));
    let is_complete = set.mirrors.iter().all(|mirror| {
        let endpoint = new.get("mirrors").and_then(|own| own.get(mirror.registry.as_str())?.get("endpoint"));
        let url = mirror.listener.url();
        let mut items = endpoint.and_then(Node::items).unwrap_or_default().iter();
        items.any(|item| item.text().is_some_and(|known| known.trim_end_matches('/') == url))
    });
    if is_kept && is_complete { Ok(()) } else { Err(unsupported_layout()) }
}

fn without_endpoint(text: &str, url: &str) -> Result<Option<String>, SetupError> {
    let root = Node::parse(text)?;
    let Some(Value::Mapping(mirrors)) = root.as_ref().and_then(|root| root.get("mirrors")).map(|own| &own.value) else {
        return Ok(None);
    };
    let endpoints = mirrors.iter().filter_map(|(_, mirror)| mirror.get("endpoint"));
    let mut flow = endpoints.filter(|endpoint| endpoint.is_flow(text));
    Ok(flow.find_map(|endpoint| {
        let items = endpoint.items()?;
        let at = items.iter().position(|item| item.text() == Some(url))?;
        Some(list(endpoint, items).without(text, at))
    }))
}

fn list(sequence: &Node, items: &[Node]) -> BracketList {
    BracketList { start: sequence.start + 1, items: items.iter().map(|item| item.start..item.end).collect() }
}

fn unsupported_layout_at(text: &str, node: &Node) -> SetupError {
    SetupError { line: Some(text_edit::line_number(text, node.start)), ..unsupported_layout() }
}

fn unsupported_layout() -> SetupError {
    SetupError::of_file(
        "regpass cannot add to the `mirrors` of this file as they are written; the file is unchanged",
        "write each key of `mirrors` on a line of its own, or add by hand what the command prints without `--write`",
    )
}

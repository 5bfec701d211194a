//! k3s and rke2: `registries.yaml`, from which they make containerd's files when they start.
//!
//! The endpoints of a mirror are asked in their order, with `?ns=`, and the registry itself when none of them answers.

use super::list::List;
use super::tree::{Node, Value};
use super::view::{Mirror, View};
use super::{Refusal, marks};

pub(super) const FILE: &str = "/etc/rancher/k3s/registries.yaml";
pub(super) const RKE2_FILE: &str = "/etc/rancher/rke2/registries.yaml";

/// Brings entries from elsewhere in the file, which a new one of the same name would hide.
const MERGED: &str = "<<";

pub(super) fn merge(view: &View, text: &str) -> Result<String, Refusal> {
    let before = marks::without(text)?;
    let mut rest = before.clone();
    let mut new = Vec::new();
    for mirror in &view.mirrors {
        match add(&rest, mirror)? {
            Some(longer) => rest = longer,
            None => new.push(mirror),
        }
    }
    if !new.is_empty() {
        rest = add_all(&rest, &new)?;
    }
    check(view, &before, &rest)?;
    Ok(rest)
}

/// Takes back what is marked, and regpass out of lists in brackets, which have no room for marks.
pub(super) fn undo(view: &View, text: &str) -> Result<String, Refusal> {
    let mut rest = marks::without(text)?;
    for door in &view.doors {
        while let Some(shorter) = without_endpoint(&rest, &door.url())? {
            rest = shorter;
        }
    }
    Ok(rest)
}

/// Adds an endpoint to a mirror that is in the file; `None` where it is not.
fn add(text: &str, mirror: &Mirror) -> Result<Option<String>, Refusal> {
    let root = Node::parse(text)?;
    let Some(own) = root.as_ref().and_then(|root| root.get("mirrors")?.get(mirror.registry.as_str())) else {
        return Ok(None);
    };
    let url = mirror.door.url();
    if own.get(MERGED).is_some() {
        return Err(unfit(text, own));
    }
    let Some(endpoint) = own.get("endpoint") else {
        let lines = format!("endpoint:\n  - \"{url}\"");
        return first_in(text, own, &lines).map(Some);
    };
    let items = endpoint.items().ok_or_else(|| unfit(text, endpoint))?;
    if items.iter().any(|item| item.text().is_some_and(|known| known.trim_end_matches('/') == url)) {
        return Ok(Some(text.to_owned()));
    }
    if endpoint.is_flow(text) {
        return Ok(Some(list(endpoint, items).with_first(text, &format!("\"{url}\""))));
    }
    let first = items.first().ok_or_else(|| unfit(text, endpoint))?;
    let start = marks::line_start(text, first.start);
    let (space, _) = text[start..first.start].split_once('-').ok_or_else(|| unfit(text, first))?;
    Ok(Some(marks::insert(text, start, &marks::line(&format!("{space}- \"{url}\"")))))
}

/// Adds mirrors that are not in the file.
fn add_all(text: &str, mirrors: &[&Mirror]) -> Result<String, Refusal> {
    let entry = |mirror: &&Mirror| format!("\"{}\":\n  endpoint:\n    - \"{}\"\n", mirror.registry, mirror.door.url());
    let entries: String = mirrors.iter().map(entry).collect();
    let under = |entries: &str| format!("mirrors:\n  {}", entries.trim_end().replace('\n', "\n  "));
    let root = Node::parse(text)?;
    match root.as_ref().map(|root| (root, root.get("mirrors"))) {
        Some((root, None)) if matches!(root.value, Value::Scalar(_)) || root.is_flow(text) => Err(unfit(text, root)),
        None | Some((_, None)) => Ok(marks::insert(text, text.len(), &marks::block(0, &under(&entries)))),
        Some((_, Some(own))) if own.get(MERGED).is_some() => Err(unfit(text, own)),
        Some((_, Some(own))) => first_in(text, own, &entries),
    }
}

/// Puts lines before the first entry of a mapping.
fn first_in(text: &str, mapping: &Node, lines: &str) -> Result<String, Refusal> {
    match &mapping.value {
        Value::Mapping(_) if !mapping.is_flow(text) => {
            let start = marks::line_start(text, mapping.start);
            let space = &text[start..mapping.start];
            if !space.bytes().all(|byte| byte == b' ') {
                return Err(unfit(text, mapping));
            }
            Ok(marks::insert(text, marks::above_comments(text, start), &marks::block(space.len(), lines)))
        }
        _ => Err(unfit(text, mapping)),
    }
}

/// Makes sure that nothing was lost, and that every mirror is there now.
fn check(view: &View, before: &str, after: &str) -> Result<(), Refusal> {
    let (before, new) = (Node::parse(before)?, Node::parse(after));
    let Ok(Some(new)) = new else { return if view.mirrors.is_empty() { Ok(()) } else { Err(broken()) } };
    let kept = before.is_none_or(|before| before.is_kept_in(&new));
    let there = view.mirrors.iter().all(|mirror| {
        let endpoint = new.get("mirrors").and_then(|own| own.get(mirror.registry.as_str())?.get("endpoint"));
        let url = mirror.door.url();
        let mut items = endpoint.and_then(Node::items).unwrap_or_default().iter();
        items.any(|item| item.text().is_some_and(|known| known.trim_end_matches('/') == url))
    });
    if kept && there { Ok(()) } else { Err(broken()) }
}

fn without_endpoint(text: &str, url: &str) -> Result<Option<String>, Refusal> {
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

fn list(sequence: &Node, items: &[Node]) -> List {
    List { inside: sequence.start + 1, items: items.iter().map(|item| item.start..item.end).collect() }
}

fn unfit(text: &str, node: &Node) -> Refusal {
    Refusal { line: Some(marks::line_number(text, node.start)), ..broken() }
}

fn broken() -> Refusal {
    Refusal::whole(
        "its mirrors are written in a form that regpass cannot add to; it is left as it is",
        "write each key of 'mirrors' on a line of its own, or add by hand what the command prints without --write",
    )
}

//! docker: `daemon.json`.
//!
//! dockerd knows mirrors of Docker Hub only, and asks them without saying so: regpass has to take a request that names no
//! registry for one of Docker Hub. Addresses of loopback may speak plain HTTP without being listed; others are listed.
//! JSON has no comments, so that what is written is known again by its value.

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::list::List;
use super::view::{Door, View};
use super::{Refusal, marks};
use crate::base::origin::Scheme;

pub(super) const FILE: &str = "/etc/docker/daemon.json";
const HUB: &str = "docker.io";

pub(super) fn merge(view: &View, text: &str) -> Result<String, Refusal> {
    let Some(hub) = hub(view) else {
        return Err(Refusal::whole(
            "dockerd knows mirrors of docker.io only, and no listener serves docker.io to those who name no registry",
            "leave 'default_registry' at docker.io and name docker.io here, or pull by names that begin with regpass's \
             address; see docs/clients.md",
        ));
    };
    if text.trim().is_empty() {
        return Ok(fresh(view, hub));
    }
    let mut new = text.to_owned();
    for (key, value) in settings(view, hub).iter().rev() {
        new = with(&new, key, value)?;
    }
    Ok(new)
}

/// Nothing is left of a file that says what regpass would write into an empty one. Where the configuration no longer has
/// a door that dockerd could be given, any of its doors may be meant.
pub(super) fn undo(view: &View, text: &str) -> Result<String, Refusal> {
    if text.trim().is_empty() || hub(view).is_some_and(|hub| text == fresh(view, hub)) {
        return Ok(String::new());
    }
    let doors = hub(view).map_or_else(|| view.doors.iter().collect(), |hub| vec![hub]);
    let written = doors.into_iter().flat_map(|door| settings(view, door));
    written.into_iter().try_fold(text.to_owned(), |text, (key, value)| without(&text, key, &value))
}

pub(super) fn advice(view: &View) -> Vec<String> {
    let mut others = view.mirrors.iter().filter(|mirror| mirror.registry.as_str() != HUB);
    let name = others.find_map(|mirror| mirror.name.as_ref());
    let example = |name| format!("dockerd mirrors docker.io only; name regpass for other registries: {name}/…");
    name.map(example).into_iter().collect()
}

/// The door behind which docker.io is when nothing else is said.
fn hub(view: &View) -> Option<&Door> {
    let hub = view.mirrors.iter().find(|mirror| mirror.registry.as_str() == HUB && mirror.by_default);
    hub.map(|mirror| &mirror.door)
}

fn settings(view: &View, hub: &Door) -> Vec<(&'static str, String)> {
    let exposed = view.doors.iter().filter(|door| door.scheme == Scheme::Http && !door.is_loopback());
    let insecure = exposed.map(|door| ("insecure-registries", door.authority()));
    [("registry-mirrors", hub.url())].into_iter().chain(insecure).collect()
}

fn fresh(view: &View, hub: &Door) -> String {
    let mut members: Vec<(&str, Vec<String>)> = Vec::new();
    for (key, value) in settings(view, hub) {
        match members.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(format!("\"{value}\"")),
            None => members.push((key, vec![format!("\"{value}\"")])),
        }
    }
    let members = members.iter().map(|(key, values)| format!("  \"{key}\": [{}]", values.join(", ")));
    format!("{{\n{}\n}}\n", members.collect::<Vec<_>>().join(",\n"))
}

fn with(text: &str, key: &str, value: &str) -> Result<String, Refusal> {
    let root = parse(text)?;
    let item = format!("\"{value}\"");
    let new = match root.get(key).map(|member| &member.value) {
        None => members(&root).with_first(text, &format!("\"{key}\": [{item}]")),
        Some(Value::Array(array)) if array.elements.iter().any(|element| is(element, value)) => text.to_owned(),
        Some(Value::Array(array)) => items(array).with_first(text, &item),
        Some(other) => {
            return Err(Refusal {
                line: Some(marks::line_number(text, other.range().start)),
                what: format!("\"{key}\" is no list"),
                hint: "write a list of addresses in brackets; the file is left as it is".to_owned(),
            });
        }
    };
    Ok(new)
}

fn without(text: &str, key: &str, value: &str) -> Result<String, Refusal> {
    let root = parse(text)?;
    let member = root.properties.iter().position(|member| member.name.as_str() == key);
    let Some((member, Value::Array(array))) = member.map(|at| (at, &root.properties[at].value)) else {
        return Ok(text.to_owned());
    };
    let is = |element: &Value<'_>| element.as_string_lit().is_some_and(|text| text.value == value);
    match array.elements.iter().position(is) {
        None => Ok(text.to_owned()),
        Some(_) if array.elements.len() == 1 => Ok(members(&root).without(text, member)),
        Some(at) => Ok(items(array).without(text, at)),
    }
}

/// dockerd takes a mirror with and without a slash at its end for the same.
fn is(element: &Value<'_>, value: &str) -> bool {
    element.as_string_lit().is_some_and(|text| text.value.trim_end_matches('/') == value)
}

fn members(object: &Object<'_>) -> List {
    let items = object.properties.iter().map(|member| member.range.start..member.range.end);
    List { inside: object.range.start + 1, items: items.collect() }
}

fn items(array: &jsonc_parser::ast::Array<'_>) -> List {
    let items = array.elements.iter().map(|element| element.range().start..element.range().end);
    List { inside: array.range.start + 1, items: items.collect() }
}

fn parse(text: &str) -> Result<Object<'_>, Refusal> {
    let refusal = |line, what: String| {
        let hint = "mend the file first; it is left as it is".to_owned();
        Refusal { line: Some(line), what, hint }
    };
    // What the parser takes and dockerd does not must not look as if it were in force.
    if let Err(error) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
        let line = error.line();
        return Err(refusal(line, format!("this is no JSON object: {error}")));
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
    let root = parsed.map_err(|error| refusal(error.line_display(), format!("this is no JSON: {}", error.kind())))?;
    match root.value {
        Some(Value::Object(object)) => twice(text, object),
        _ => Err(refusal(1, "this is no JSON object".to_owned())),
    }
}

/// Of a key that is written twice, nobody can say which one counts.
fn twice<'t>(text: &str, object: Object<'t>) -> Result<Object<'t>, Refusal> {
    let mut seen = std::collections::BTreeSet::new();
    match object.properties.iter().find(|member| !seen.insert(member.name.as_str())) {
        None => Ok(object),
        Some(again) => Err(Refusal {
            line: Some(marks::line_number(text, again.range.start)),
            what: format!("\"{}\" is written a second time", again.name.as_str()),
            hint: "remove one of the two; the file is left as it is".to_owned(),
        }),
    }
}

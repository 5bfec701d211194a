//! containerd: one `hosts.toml` for each registry, below the folder that `config_path` names.
//!
//! containerd asks the hosts of a file in their order, each with `?ns=` and the registry's name, and the registry itself
//! when none of them answers. Pushes carry no name (seen with 1.6): they may go only where the name is not needed.

use toml::de::DeTable;

use super::tables::{Tables, changed};
use super::view::{Mirror, View};
use super::{Refusal, marks};

pub(super) const FOLDER: &str = "/etc/containerd/certs.d";
pub(super) const FILE: &str = "hosts.toml";

/// Adds the mirrors of the view to one file; it has one.
pub(super) fn merge(view: &View, text: &str) -> Result<String, Refusal> {
    let rest = marks::without(text)?;
    let Some(mirror) = view.mirrors.first() else { return Ok(rest) };
    if rest.trim().is_empty() {
        let lines = format!("server = \"{}\"\n\n{}", mirror.server, host(mirror));
        return Ok(marks::insert(&rest, rest.len(), &marks::block(0, &lines)));
    }
    let tables = Tables::parse(&rest)?;
    let url = mirror.door.url();
    let hosts = tables.table(&["host"]);
    if hosts.is_some_and(|hosts| hosts.contains_key(url.as_str())) {
        return Ok(rest);
    }
    let first = |hosts: &DeTable<'_>| hosts.keys().filter_map(|key| tables.header_of(hosts, key.get_ref())).min();
    let at = hosts.and_then(first).map_or(rest.len(), |header| marks::above_comments(&rest, header));
    changed(&rest, marks::insert(&rest, at, &marks::block(0, &host(mirror))))
}

pub(super) fn undo(text: &str) -> Result<String, Refusal> {
    marks::without(text)
}

fn host(mirror: &Mirror) -> String {
    let push = if mirror.push { ", \"push\"" } else { "" };
    format!("[host.\"{}\"]\n  capabilities = [\"pull\", \"resolve\"{push}]\n", mirror.door.url())
}

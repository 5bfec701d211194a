//! containerd: one `hosts.toml` for each registry, below the folder that `config_path` names.
//!
//! containerd sends a pull to the hosts of a file in their order, each time with `?ns=` and the registry's name, and to
//! the registry itself when none of them answers. Pushes carry no `ns` (observed with 1.6), so `push` is set only for
//! the registry that the listener serves by default.

use toml::de::DeTable;

use super::mirrors::{Mirror, MirrorSet};
use super::toml_file::{TomlFile, checked};
use super::{SetupError, marks, text_edit};

pub(super) const FOLDER: &str = "/etc/containerd/certs.d";
pub(super) const FILE: &str = "hosts.toml";

/// Adds to the file of one registry the mirror for it, which is the only one in `set`.
pub(super) fn merge(set: &MirrorSet, text: &str) -> Result<String, SetupError> {
    let rest = marks::without(text)?;
    let Some(mirror) = set.mirrors.first() else { return Ok(rest) };
    if rest.trim().is_empty() {
        let lines = format!("server = \"{}\"\n\n{}", mirror.registry_url, host_table(mirror));
        return Ok(text_edit::insert(&rest, rest.len(), &marks::block(0, &lines)));
    }
    let tables = TomlFile::parse(&rest)?;
    let url = mirror.listener.url();
    let hosts = tables.table(&["host"]);
    if hosts.is_some_and(|hosts| hosts.contains_key(url.as_str())) {
        return Ok(rest);
    }
    let first_header =
        |hosts: &DeTable<'_>| hosts.keys().filter_map(|key| tables.header_of(hosts, key.get_ref())).min();
    let at = hosts.and_then(first_header).map_or(rest.len(), |header| text_edit::above_comments(&rest, header));
    checked(&rest, text_edit::insert(&rest, at, &marks::block(0, &host_table(mirror))))
}

pub(super) fn undo(text: &str) -> Result<String, SetupError> {
    marks::without(text)
}

fn host_table(mirror: &Mirror) -> String {
    let push = if mirror.allows_push { ", \"push\"" } else { "" };
    format!("[host.\"{}\"]\n  capabilities = [\"pull\", \"resolve\"{push}]\n", mirror.listener.url())
}

//! `hosts.toml`: a file for each registry that containerd and dockerd read.
//!
//! The client sends a pull to the hosts of a file in their order, each time with `?ns=` and the registry's name, and to
//! the registry itself when none of them answers.

use toml::de::DeTable;

use super::mirrors::{Mirror, MirrorSet};
use super::toml_file::{TomlFile, checked};
use super::version::ClientVersion;
use super::{SetupError, marks, text_edit};

pub(super) const FILE: &str = "hosts.toml";

/// What a client's version understands in a `hosts.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostsSupport {
    /// The capability `referrers`, without which lists of signatures are read from the registry itself. An older client
    /// ignores a file with it, and connects to the registry itself for everything.
    pub(super) referrers: bool,
    /// Whether pushes name the registry in `?ns=`. Without it, a push through a mirror goes to the registry that the
    /// listener serves by default.
    pub(super) pushes_name_registry: bool,
}

impl HostsSupport {
    /// The support of a client that has each feature since a version. An unknown version counts as an old one.
    pub(super) fn of(version: Option<ClientVersion>, referrers: ClientVersion, push_names: ClientVersion) -> Self {
        let is_since = |since| version.is_some_and(|version| version >= since);
        Self { referrers: is_since(referrers), pushes_name_registry: is_since(push_names) }
    }
}

/// Adds to the file of one registry the mirror for it, which is the only one in `set`.
pub(super) fn merge(set: &MirrorSet, support: HostsSupport, text: &str) -> Result<String, SetupError> {
    let rest = marks::without(text)?;
    let Some(mirror) = set.mirrors.first() else { return Ok(rest) };
    if rest.trim().is_empty() {
        let lines = format!("server = \"{}\"\n\n{}", mirror.registry_url, host_table(mirror, support));
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
    checked(&rest, text_edit::insert(&rest, at, &marks::block(0, &host_table(mirror, support))))
}

pub(super) fn undo(text: &str) -> Result<String, SetupError> {
    marks::without(text)
}

fn host_table(mirror: &Mirror, support: HostsSupport) -> String {
    let mut capabilities = vec!["pull", "resolve"];
    if mirror.allows_push && (mirror.is_default || support.pushes_name_registry) {
        capabilities.push("push");
    }
    if support.referrers {
        capabilities.push("referrers");
    }
    format!("[host.\"{}\"]\n  capabilities = {capabilities:?}\n", mirror.listener.url())
}

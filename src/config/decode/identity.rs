//! Several identities on one registry.

use std::collections::BTreeSet;

use super::credential;
use super::document::{Entry, Section};
use super::key::Keys;
use super::registry::{patterns, wrong};
use crate::base::client_name::ClientName;
use crate::base::host::HostPattern;
use crate::config::model::Identity;
use crate::config::problem::Fault;
use crate::config::values;
use crate::profile::Profile;

/// What an identity is for: a pattern (`None`: all repositories) and a client (`None`: all). No two are for the same.
type Taken = BTreeSet<(Option<String>, Option<ClientName>)>;

pub(super) fn identities(entry: &Entry<'_>, pattern: &HostPattern, profile: Option<&'static Profile>) -> Vec<Identity> {
    if entry.is_table() {
        entry.report(
            Fault::new("it is one table, not a list of tables")
                .hint(format!("write its header with double brackets: [[registry.\"{pattern}\".identity]]")),
        );
        return Vec::new();
    }
    let mut taken = Taken::new();
    entry.list().into_iter().flatten().filter_map(|entry| identity(entry, pattern, profile, &mut taken)).collect()
}

fn identity(
    entry: Entry<'_>,
    pattern: &HostPattern,
    profile: Option<&'static Profile>,
    taken: &mut Taken,
) -> Option<Identity> {
    let section = entry.section(IDENTITY)?;
    let clients = section.get("clients").map(|entry| clients(&entry));
    // Who names clients may leave the repositories open.
    let written = if clients.is_some() { section.get("repositories") } else { section.required("repositories") };
    let is_complete = written.is_some() || clients.is_some();
    let repositories = written.as_ref().map(|entry| {
        not_empty(entry);
        patterns(entry, profile)
    });
    let clients = clients.unwrap_or_default();
    let texts = match &repositories {
        Some(patterns) => patterns.iter().map(|pattern| Some(pattern.to_string())).collect(),
        None => vec![None],
    };
    if is_complete {
        for text in texts {
            claim(&section, written.as_ref(), text.as_deref(), &clients, taken);
        }
    }
    let credential = section.required("credential").and_then(|entry| {
        let credential = credential::source(&entry)?;
        if let Some(fault) = wrong(&credential, pattern, profile) {
            entry.report(fault);
        }
        Some(credential)
    });
    is_complete.then_some(Identity { repositories, clients, credential: credential? })
}

fn clients(entry: &Entry<'_>) -> BTreeSet<ClientName> {
    not_empty(entry);
    entry.parse_list(values::client_name).unwrap_or_default().into_iter().collect()
}

fn not_empty(entry: &Entry<'_>) {
    if entry.is_list() && entry.list().is_some_and(|list| list.is_empty()) {
        entry.report(Fault::new("it is empty, so the identity is never used"));
    }
}

/// Notes what the identity is for; reports what another one is for already.
fn claim(
    section: &Section<'_>,
    written: Option<&Entry<'_>>,
    text: Option<&str>,
    clients: &BTreeSet<ClientName>,
    taken: &mut Taken,
) {
    let whom: Vec<Option<&ClientName>> =
        if clients.is_empty() { vec![None] } else { clients.iter().map(Some).collect() };
    for client in whom {
        if taken.insert((text.map(ToOwned::to_owned), client.cloned())) {
            continue;
        }
        let what = match client {
            Some(client) => format!("{} for the client {client}", text.unwrap_or("every repository")),
            None => text.unwrap_or_default().to_owned(),
        };
        written.unwrap_or_else(|| section.entry()).report(
            Fault::new(format!("{what} stands twice in this registry's identities"))
                .hint("leave one of the two out: the closest pattern decides, and these are equally close"),
        );
    }
}

pub(super) const IDENTITY: Keys =
    &[("repositories", "[\"acme/**\"]"), ("clients", "[\"alice\"]"), ("credential", "{ source = \"docker\" }")];

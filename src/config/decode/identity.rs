//! Decodes the identities of a registry: credentials for some of its repositories or clients.

use std::collections::BTreeSet;

use super::credential;
use super::document::{Entry, Section};
use super::repositories::patterns;
use super::table_keys::Keys;
use crate::base::client_name::ClientName;
use crate::base::host::HostPattern;
use crate::config::model::Identity;
use crate::config::problem::Fault;
use crate::config::values;
use crate::profile::Profile;

/// The pairs of repository pattern (`None`: every repository) and client (`None`: every client) that the identities
/// of one registry are for. No two identities may have a pair in common.
type Claims = BTreeSet<(Option<String>, Option<ClientName>)>;

pub(super) fn identities(entry: &Entry<'_>, pattern: &HostPattern, profile: Option<&'static Profile>) -> Vec<Identity> {
    if entry.is_table() {
        let hint = format!("write its header with double brackets: `[[registry.\"{pattern}\".identity]]`");
        entry.report(Fault::new("expected a list of tables, found one table").hint(hint));
        return Vec::new();
    }
    let mut claims = Claims::new();
    entry.list().into_iter().flatten().filter_map(|entry| identity(entry, pattern, profile, &mut claims)).collect()
}

fn identity(
    entry: Entry<'_>,
    pattern: &HostPattern,
    profile: Option<&'static Profile>,
    claims: &mut Claims,
) -> Option<Identity> {
    let section = entry.section(IDENTITY)?;
    let clients = section.get("clients").map(|entry| clients(&entry));
    // An identity that names its clients need not name repositories.
    let entry = if clients.is_some() { section.get("repositories") } else { section.required("repositories") };
    let is_complete = entry.is_some() || clients.is_some();
    let repositories = entry.as_ref().map(|entry| {
        report_empty(entry);
        patterns(entry, profile)
    });
    let clients = clients.unwrap_or_default();
    let texts = match &repositories {
        Some(patterns) => patterns.iter().map(|pattern| Some(pattern.to_string())).collect(),
        None => vec![None],
    };
    if is_complete {
        for text in texts {
            claim(&section, entry.as_ref(), text.as_deref(), &clients, claims);
        }
    }
    let credential = section.required("credential").and_then(|entry| {
        let credential = credential::credential(&entry)?;
        if let Some(fault) = credential::misfit(&credential, pattern, profile) {
            entry.report(fault);
        }
        Some(credential)
    });
    is_complete.then_some(Identity { repositories, clients, credential: credential? })
}

fn clients(entry: &Entry<'_>) -> BTreeSet<ClientName> {
    report_empty(entry);
    entry.parse_list(values::client_name).unwrap_or_default().into_iter().collect()
}

fn report_empty(entry: &Entry<'_>) {
    if entry.is_list() && entry.list().is_some_and(|list| list.is_empty()) {
        entry.report(Fault::new("the list is empty, so the identity is never used"));
    }
}

/// Adds the identity's pairs of `pattern` and client to `claims`, and reports each pair that another identity has.
fn claim(
    section: &Section<'_>,
    repositories: Option<&Entry<'_>>,
    pattern: Option<&str>,
    clients: &BTreeSet<ClientName>,
    claims: &mut Claims,
) {
    let clients: Vec<Option<&ClientName>> =
        if clients.is_empty() { vec![None] } else { clients.iter().map(Some).collect() };
    for client in clients {
        if claims.insert((pattern.map(ToOwned::to_owned), client.cloned())) {
            continue;
        }
        let repository = pattern.map_or_else(|| "every repository".to_owned(), |pattern| format!("`{pattern}`"));
        let what = match client {
            Some(client) => format!("{repository} for the client `{client}`"),
            None => repository,
        };
        let fault = Fault::new(format!("two identities of this registry are for {what}"))
            .hint("remove one of the two: the most specific pattern decides, and these are equally specific");
        repositories.unwrap_or_else(|| section.entry()).report(fault);
    }
}

pub(super) const IDENTITY: Keys =
    &[("repositories", "[\"acme/**\"]"), ("clients", "[\"alice\"]"), ("credential", "{ source = \"docker\" }")];

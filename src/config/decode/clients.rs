//! Decodes the access rules of a listener: the file mode and users of a unix socket, TLS, and client authentication.

use std::collections::BTreeSet;

use super::document::{Entry, Section};
use super::secret::{certificate_files, path, secret};
use super::table_keys::Keys;
use crate::config::model::{ClientRule, DEFAULT_MODE, Listener};
use crate::config::problem::Fault;
use crate::config::values;

/// Sets the access rules that listeners and the admin listener share.
pub(super) fn read(section: &Section<'_>, listener: &mut Listener) {
    listener.mode =
        unix_only(section, "mode", listener).and_then(|entry| entry.parse(values::mode)).unwrap_or(DEFAULT_MODE);
    listener.uids = unix_only(section, "uids", listener).and_then(|entry| uids(&entry));
    listener.tls = section.get("tls").and_then(certificate_files);
    listener.clients = section.get("clients").and_then(|entry| rule(entry, section));
}

/// An entry that unix sockets may have and TCP listeners may not.
fn unix_only<'a>(section: &Section<'a>, name: &str, listener: &Listener) -> Option<Entry<'a>> {
    let entry = section.get(name)?;
    if listener.address.is_unix() {
        return Some(entry);
    }
    let fault = Fault::new(format!("only a unix socket can have `{name}`"))
        .hint("remove the key, or listen on a unix socket: `address = \"unix:/run/regpass.sock\"`");
    entry.report(fault);
    None
}

fn uids(entry: &Entry<'_>) -> Option<BTreeSet<u32>> {
    const HINT: &str = "write `uids = [1000]`";
    let items = entry.list()?;
    if items.is_empty() {
        entry.report(Fault::new("the list is empty, so no user could use the listener").hint(HINT));
    }
    let uid = |item: Entry<'_>| {
        let uid = u32::try_from(item.number()?);
        uid.map_err(|_| item.report(Fault::new("the number is larger than any user id").hint(HINT))).ok()
    };
    Some(items.into_iter().filter_map(uid).collect())
}

/// The value of `clients`, which names exactly one rule.
fn rule(entry: Entry<'_>, listener: &Section<'_>) -> Option<ClientRule> {
    const HINT: &str =
        "write `clients = { htpasswd = \"…\" }`, `{ bearer = { file = \"…\" } }` or `{ mtls_ca = \"…\" }`";
    let section = entry.section(CLIENTS)?;
    match (section.get("htpasswd"), section.get("bearer"), section.get("mtls_ca")) {
        (Some(file), None, None) => path(&file).map(ClientRule::Htpasswd),
        (None, Some(token), None) => secret(&token).map(ClientRule::Bearer),
        (None, None, Some(authorities)) => {
            if listener.get("tls").is_none() {
                let fault = Fault::new("client certificates need TLS, and the listener has no `tls`")
                    .hint("add `tls = { certificate = \"/path/cert.pem\", key = \"/path/key.pem\" }` to the listener");
                authorities.report(fault);
            }
            path(&authorities).map(ClientRule::MutualTls)
        }
        (None, None, None) => {
            // A misspelt key is reported already, as unknown.
            if section.entry().children().is_some_and(|keys| keys.is_empty()) {
                section.entry().report(Fault::new("the table names no rule").hint(HINT));
            }
            None
        }
        _ => {
            let fault = Fault::new("the table names more than one rule, and rules cannot be combined").hint(HINT);
            section.entry().report(fault);
            None
        }
    }
}

pub(super) const CLIENTS: Keys = &[
    ("htpasswd", "\"/etc/regpass/htpasswd\""),
    ("bearer", "{ file = \"/run/secrets/regpass\" }"),
    ("mtls_ca", "\"/etc/regpass/clients-ca.pem\""),
];

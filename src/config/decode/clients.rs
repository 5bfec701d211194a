//! Who may use a listener, and what it shows of itself.

use std::collections::BTreeSet;

use super::credential;
use super::document::{Entry, Section};
use super::key::Keys;
use crate::config::model::{ClientRule, DEFAULT_MODE, Listener, ServerCertificate};
use crate::config::problem::Fault;
use crate::config::values;

/// The keys that listeners and the admin listener share.
pub(super) fn read(section: &Section<'_>, listener: &mut Listener) {
    listener.mode =
        of_unix(section, "mode", listener).and_then(|entry| entry.parse(values::mode)).unwrap_or(DEFAULT_MODE);
    listener.uids = of_unix(section, "uids", listener).and_then(|entry| uids(&entry));
    listener.tls = section.get("tls").and_then(certificate);
    listener.clients = section.get("clients").and_then(|entry| rule(entry, section));
}

/// An entry that means something for unix sockets only.
fn of_unix<'a>(section: &Section<'a>, name: &str, listener: &Listener) -> Option<Entry<'a>> {
    let entry = section.get(name)?;
    if listener.address.is_unix() {
        return Some(entry);
    }
    entry.report(
        Fault::new("only a unix socket has it").hint("leave it out, or listen on a path: \"unix:/run/regpass.sock\""),
    );
    None
}

fn uids(entry: &Entry<'_>) -> Option<BTreeSet<u32>> {
    let items = entry.list()?;
    if items.is_empty() {
        entry.report(Fault::new("it is empty, so nobody could use the listener").hint("write uids = [1000]"));
    }
    let uid = |item: Entry<'_>| {
        let uid = u32::try_from(item.number()?);
        uid.map_err(|_| item.report(Fault::new("it is larger than any user's number").hint("write uids = [1000]"))).ok()
    };
    Some(items.into_iter().filter_map(uid).collect())
}

fn certificate(entry: Entry<'_>) -> Option<ServerCertificate> {
    let section = entry.section(TLS)?;
    let certificate = section.required("certificate").and_then(|entry| credential::path(&entry));
    let key = section.required("key").and_then(|entry| credential::path(&entry));
    Some(ServerCertificate { certificate: certificate?, key: key? })
}

/// Exactly one of the rules.
fn rule(entry: Entry<'_>, listener: &Section<'_>) -> Option<ClientRule> {
    const HINT: &str = "write clients = { htpasswd = \"…\" }, { bearer = { file = \"…\" } } or { mtls_ca = \"…\" }";
    let section = entry.section(CLIENTS)?;
    match (section.get("htpasswd"), section.get("bearer"), section.get("mtls_ca")) {
        (Some(file), None, None) => credential::path(&file).map(ClientRule::Htpasswd),
        (None, Some(secret), None) => credential::secret(&secret).map(ClientRule::Bearer),
        (None, None, Some(authorities)) => {
            if listener.get("tls").is_none() {
                authorities.report(
                    Fault::new("a client shows its certificate in TLS only").hint(
                        "add tls = { certificate = \"/path/cert.pem\", key = \"/path/key.pem\" } to the listener",
                    ),
                );
            }
            credential::path(&authorities).map(ClientRule::MutualTls)
        }
        (None, None, None) => {
            // A slip of the hand is told already.
            if section.entry().children().is_some_and(|keys| keys.is_empty()) {
                section.entry().report(Fault::new("it names no rule").hint(HINT));
            }
            None
        }
        _ => {
            section.entry().report(Fault::new("it names more than one rule, and they are not combined").hint(HINT));
            None
        }
    }
}

pub(super) const TLS: Keys = &[("certificate", "\"/path/cert.pem\""), ("key", "\"/path/key.pem\"")];

pub(super) const CLIENTS: Keys = &[
    ("htpasswd", "\"/etc/regpass/htpasswd\""),
    ("bearer", "{ file = \"/run/secrets/regpass\" }"),
    ("mtls_ca", "\"/etc/regpass/clients-ca.pem\""),
];

//! The listeners and the admin listener.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::clients;
use super::document::{Entry, Section};
use super::key::Keys;
use super::known_registry;
use crate::config::address::{self, Bind};
use crate::config::model::{Admin, Listener, Registry};
use crate::config::overrides::Choices;
use crate::config::problem::{Fault, Located, Place};
use crate::config::values;
use crate::net::socket::ListenAddress;

pub(super) fn listeners(root: &Section<'_>, choices: &Choices, registries: &[Registry]) -> Vec<Listener> {
    let written = written(root, registries);
    let mut listeners = match &choices.listen {
        Some(binds) => binds.iter().map(chosen).collect(),
        None if written.is_empty() => address::localhost(DEFAULT_PORT).into_iter().map(default).collect(),
        None => written,
    };
    if let Some(pin) = &choices.registry {
        for listener in &mut listeners {
            listener.value.registry = Some(pin.value.clone());
        }
    }
    let mut taken = BTreeSet::new();
    for listener in &mut listeners {
        admit(root, listener, choices);
        let any_port = matches!(&listener.value.address, ListenAddress::Tcp(address) if address.port() == 0);
        if !taken.insert(listener.value.address.clone()) && !any_port {
            let fault =
                Fault::new(format!("{} is listened on twice", listener.value.address)).hint("leave one of the two out");
            root.entry().document.report(&listener.place, fault);
        }
    }
    listeners.into_iter().map(|listener| listener.value).collect()
}

/// Without a table and a flag there is one only where nobody wrote a configuration.
pub(super) fn admin(root: &Section<'_>, choices: &Choices, has_file: bool) -> Option<Admin> {
    let written = root.get("admin").and_then(admin_table);
    let mut admin = match (&choices.admin, written) {
        (Some(chosen), Some(written)) => {
            let value = Listener { address: chosen.value.clone(), ..written.value };
            Located { value, place: chosen.place.clone() }
        }
        (Some(chosen), None) => self::chosen(&Located {
            value: Bind { address: chosen.value.clone(), optional: false },
            place: chosen.place.clone(),
        }),
        (None, Some(written)) => written,
        (None, None) if has_file => return None,
        (None, None) => default(Bind { address: default_admin(), optional: true }),
    };
    admit(root, &mut admin, choices);
    Some(Admin { listener: admin.value })
}

fn written(root: &Section<'_>, registries: &[Registry]) -> Vec<Located<Listener>> {
    let Some(entry) = root.get("listener") else { return Vec::new() };
    if entry.is_table() {
        entry.report(
            Fault::new("it is one table, not a list of tables")
                .hint("write its header with double brackets: [[listener]]"),
        );
        return Vec::new();
    }
    entry.list().into_iter().flatten().flat_map(|entry| listener_table(entry, registries)).collect()
}

fn listener_table(entry: Entry<'_>, registries: &[Registry]) -> Vec<Located<Listener>> {
    let Some(section) = entry.section(LISTENER) else { return Vec::new() };
    let binds = section.required("address").and_then(|entry| {
        let place = entry.place();
        Some((entry.parse(address::parse)?, place))
    });
    let registry = section.get("registry").and_then(|entry| known_registry(&entry, registries));
    let hosts = hosts(&section, registries);
    let insecure_open = insecure_open(&section);
    let Some((binds, place)) = binds else { return Vec::new() };
    let listener = |bind: &Bind| Listener {
        registry: registry.clone(),
        hosts: hosts.clone(),
        insecure_open,
        optional: bind.optional,
        ..Listener::at(bind.address.clone())
    };
    let mut listeners: Vec<Listener> = binds.iter().map(listener).collect();
    // What is wrong with keys that both addresses of `localhost` share is told once.
    clients::read(&section, &mut listeners[0]);
    let Listener { mode, uids, tls, clients, .. } = listeners[0].clone();
    for other in &mut listeners[1..] {
        *other = Listener { mode, uids: uids.clone(), tls: tls.clone(), clients: clients.clone(), ..other.clone() };
    }
    listeners.into_iter().map(|value| Located { value, place: place.clone() }).collect()
}

fn admin_table(entry: Entry<'_>) -> Option<Located<Listener>> {
    let place = entry.place();
    let section = entry.section(ADMIN)?;
    let written = section.get("address");
    let place = written.as_ref().map_or(place, Entry::place);
    let address = written.and_then(|entry| entry.parse(address::parse_one)).unwrap_or_else(default_admin);
    let mut value =
        Listener { hosts: hosts(&section, &[]), insecure_open: insecure_open(&section), ..Listener::at(address) };
    clients::read(&section, &mut value);
    Some(Located { value, place })
}

/// A name that means a registry cannot at the same time be this listener's plain name.
fn hosts(section: &Section<'_>, registries: &[Registry]) -> BTreeSet<Box<str>> {
    let virtual_hosts: BTreeMap<&str, &Registry> =
        registries.iter().flat_map(|registry| registry.hosts.iter().map(move |host| (&**host, registry))).collect();
    let name = |text: &str| {
        let host = values::host_name(text)?;
        match virtual_hosts.get(&*host) {
            Some(registry) => Err(Fault::new(format!("{host} already means the registry {}", registry.pattern))
                .hint("leave it out of one of the two lists")),
            None => Ok(host),
        }
    };
    section.get("hosts").and_then(|entry| entry.parse_list(name)).map(BTreeSet::from_iter).unwrap_or_default()
}

fn insecure_open(section: &Section<'_>) -> bool {
    section.get("insecure_open").and_then(|entry| entry.flag()).unwrap_or(false)
}

fn chosen(bind: &Located<Bind>) -> Located<Listener> {
    Located { place: bind.place.clone(), ..default(bind.value.clone()) }
}

fn default(bind: Bind) -> Located<Listener> {
    let value = Listener { optional: bind.optional, ..Listener::at(bind.address) };
    Located { value, place: Place::default() }
}

/// Everyone who reaches a listener uses the credentials behind it: beyond this machine only on demand.
fn admit(root: &Section<'_>, listener: &mut Located<Listener>, choices: &Choices) {
    listener.value.insecure_open |= choices.insecure_open;
    let Listener { insecure_open, clients, address, .. } = &listener.value;
    if !insecure_open && clients.is_none() && !address.is_local() {
        let fault = Fault::new("other machines can reach this address, and would use the registries' credentials")
            .hint("write a loopback address such as \"127.0.0.1:5050\"; or say who may use it: clients = { htpasswd = \"…\" }; or, if it is meant, insecure_open = true beside the address, or the flag --insecure-open");
        root.entry().document.report(&listener.place, fault);
    }
}

fn default_admin() -> ListenAddress {
    address::tcp(Ipv4Addr::LOCALHOST, DEFAULT_ADMIN_PORT)
}

const DEFAULT_PORT: u16 = 5050;
const DEFAULT_ADMIN_PORT: u16 = 5051;

pub(super) const LISTENER: Keys = &[
    ("address", "\"127.0.0.1:5050\""),
    ("registry", "\"registry.example.com\""),
    HOSTS,
    INSECURE_OPEN,
    MODE,
    UIDS,
    TLS,
    CLIENTS,
];

pub(super) const ADMIN: Keys = &[("address", "\"127.0.0.1:5051\""), HOSTS, INSECURE_OPEN, MODE, UIDS, TLS, CLIENTS];

const HOSTS: (&str, &str) = ("hosts", "[\"regpass\"]");
const INSECURE_OPEN: (&str, &str) = ("insecure_open", "false");
const MODE: (&str, &str) = ("mode", "\"0600\"");
const UIDS: (&str, &str) = ("uids", "[0, 1000]");
const TLS: (&str, &str) = ("tls", "{ certificate = \"/path/cert.pem\", key = \"/path/key.pem\" }");
const CLIENTS: (&str, &str) = ("clients", "{ htpasswd = \"/etc/regpass/htpasswd\" }");

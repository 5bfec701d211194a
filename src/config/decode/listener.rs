//! Decodes the listeners and the admin listener.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use super::clients;
use super::document::{Entry, Section};
use super::registry::known_registry;
use super::table_keys::Keys;
use crate::config::address::{self, BindAddress};
use crate::config::model::{Admin, Listener, Registry};
use crate::config::overrides::ParsedOverrides;
use crate::config::problem::{Fault, Located, Location};
use crate::config::values;
use crate::listen::address::ListenAddress;

/// The listeners for clients: those of the flags, else those of the file, else the two default addresses.
pub(super) fn listeners(root: &Section<'_>, overrides: &ParsedOverrides, registries: &[Registry]) -> Vec<Listener> {
    let from_file = from_file(root, registries);
    let mut listeners = match &overrides.listen {
        Some(binds) => binds.iter().map(listener_at).collect(),
        None if from_file.is_empty() => address::localhost(DEFAULT_PORT).into_iter().map(default_listener).collect(),
        None => from_file,
    };
    if let Some(pin) = &overrides.registry {
        for listener in &mut listeners {
            listener.value.registry = Some(pin.value.clone());
        }
    }
    let mut addresses = BTreeSet::new();
    for listener in &mut listeners {
        check_exposure(root, listener, overrides);
        let has_random_port = matches!(&listener.value.address, ListenAddress::Tcp(address) if address.port() == 0);
        if !addresses.insert(listener.value.address.clone()) && !has_random_port {
            let fault = Fault::new(format!("two listeners have the address `{}`", listener.value.address))
                .hint("remove one of the two, or give it another address");
            root.entry().document.report(&listener.location, fault);
        }
    }
    listeners.into_iter().map(|listener| listener.value).collect()
}

/// The admin listener. Without a flag and a table there is one only when there is no configuration file.
pub(super) fn admin(root: &Section<'_>, overrides: &ParsedOverrides, has_file: bool) -> Option<Admin> {
    let from_file = root.get("admin").and_then(admin_table);
    let mut admin = match (&overrides.admin, from_file) {
        (Some(flag), Some(from_file)) => {
            let value = Listener { address: flag.value.clone(), ..from_file.value };
            Located { value, location: flag.location.clone() }
        }
        (Some(flag), None) => listener_at(&Located {
            value: BindAddress { address: flag.value.clone(), optional: false },
            location: flag.location.clone(),
        }),
        (None, Some(from_file)) => from_file,
        (None, None) if has_file => return None,
        (None, None) => default_listener(BindAddress { address: default_admin(), optional: true }),
    };
    check_exposure(root, &mut admin, overrides);
    Some(Admin { listener: admin.value })
}

fn from_file(root: &Section<'_>, registries: &[Registry]) -> Vec<Located<Listener>> {
    let Some(entry) = root.get("listener") else { return Vec::new() };
    if entry.is_table() {
        let fault = Fault::new("expected a list of tables, found one table")
            .hint("write its header with double brackets: `[[listener]]`");
        entry.report(fault);
        return Vec::new();
    }
    entry.list().into_iter().flatten().flat_map(|entry| listener_table(entry, registries)).collect()
}

fn listener_table(entry: Entry<'_>, registries: &[Registry]) -> Vec<Located<Listener>> {
    let Some(section) = entry.section(LISTENER) else { return Vec::new() };
    let binds = section.required("address").and_then(|entry| {
        let location = entry.location();
        Some((entry.parse(address::parse)?, location))
    });
    let registry = section.get("registry").and_then(|entry| known_registry(&entry, registries));
    let hosts = hosts(&section, registries);
    let insecure_open = insecure_open(&section);
    let max_connections = max_connections(&section, &Listener::at(default_admin()));
    let absolute_locations = flag(&section, "absolute_locations");
    let Some((binds, location)) = binds else { return Vec::new() };
    let listener = |bind: &BindAddress| Listener {
        registry: registry.clone(),
        hosts: hosts.clone(),
        insecure_open,
        max_connections,
        absolute_locations,
        optional: bind.optional,
        ..Listener::at(bind.address.clone())
    };
    let mut listeners: Vec<Listener> = binds.iter().map(listener).collect();
    // `localhost` is two addresses that share these keys: decoding them once reports their problems once.
    clients::read(&section, &mut listeners[0]);
    let Listener { mode, uids, tls, clients, .. } = listeners[0].clone();
    for other in &mut listeners[1..] {
        *other = Listener { mode, uids: uids.clone(), tls: tls.clone(), clients: clients.clone(), ..other.clone() };
    }
    listeners.into_iter().map(|value| Located { value, location: location.clone() }).collect()
}

fn admin_table(entry: Entry<'_>) -> Option<Located<Listener>> {
    let location = entry.location();
    let section = entry.section(ADMIN)?;
    let address = section.get("address");
    let location = address.as_ref().map_or(location, Entry::location);
    let address = address.and_then(|entry| entry.parse(address::parse_one)).unwrap_or_else(default_admin);
    let mut value =
        Listener { hosts: hosts(&section, &[]), insecure_open: insecure_open(&section), ..Listener::at(address) };
    value.max_connections = max_connections(&section, &value);
    clients::read(&section, &mut value);
    Some(Located { value, location })
}

/// The `hosts` of a listener. A name cannot belong to the listener and, as a virtual host, to a registry.
fn hosts(section: &Section<'_>, registries: &[Registry]) -> BTreeSet<Box<str>> {
    let virtual_hosts: BTreeMap<&str, &Registry> =
        registries.iter().flat_map(|registry| registry.hosts.iter().map(move |host| (&**host, registry))).collect();
    let name = |text: &str| {
        let host = values::host_name(text)?;
        match virtual_hosts.get(&*host) {
            Some(registry) => {
                let what = format!("`{host}` is already one of the `hosts` of the registry `{}`", registry.pattern);
                Err(Fault::new(what).hint("remove it from one of the two lists"))
            }
            None => Ok(host),
        }
    };
    section.get("hosts").and_then(|entry| entry.parse_list(name)).map(BTreeSet::from_iter).unwrap_or_default()
}

fn insecure_open(section: &Section<'_>) -> bool {
    flag(section, "insecure_open")
}

/// A key that is false unless it is set.
fn flag(section: &Section<'_>, key: &str) -> bool {
    section.get(key).and_then(|entry| entry.boolean()).unwrap_or(false)
}

/// The `max_connections` of a listener, or that of `default`.
fn max_connections(section: &Section<'_>, default: &Listener) -> usize {
    let number = |entry: Entry<'_>| {
        let number = entry.number()?;
        let limit = usize::try_from(number).ok().filter(|limit| CONNECTION_LIMITS.contains(limit));
        if limit.is_none() {
            let (least, most) = (CONNECTION_LIMITS.start(), CONNECTION_LIMITS.end());
            let fault = Fault::new(format!("{number} is not a possible number of connections"));
            entry.report(fault.hint(format!("write a number from {least} to {most}")));
        }
        limit
    };
    section.get("max_connections").and_then(number).unwrap_or(default.max_connections)
}

fn listener_at(bind: &Located<BindAddress>) -> Located<Listener> {
    Located { location: bind.location.clone(), ..default_listener(bind.value.clone()) }
}

fn default_listener(bind: BindAddress) -> Located<Listener> {
    let value = Listener { optional: bind.optional, ..Listener::at(bind.address) };
    Located { value, location: Location::default() }
}

/// Applies `--insecure-open`, and reports a listener that other machines can use without authentication, unless the
/// operator allows that: regpass adds the registries' credentials to the requests of every client.
fn check_exposure(root: &Section<'_>, listener: &mut Located<Listener>, overrides: &ParsedOverrides) {
    listener.value.insecure_open |= overrides.insecure_open;
    let Listener { insecure_open, clients, address, .. } = &listener.value;
    if !insecure_open && clients.is_none() && !address.is_local() {
        let fault = Fault::new(
            "other machines can reach this address and, without authentication, use the registries' \
             credentials",
        )
        .hint(
            "write a loopback address such as `\"127.0.0.1:5050\"`, or authenticate clients: `clients = { htpasswd = \
                 \"…\" }`, or allow it: `insecure_open = true` beside the address, or the flag `--insecure-open`",
        );
        root.entry().document.report(&listener.location, fault);
    }
}

fn default_admin() -> ListenAddress {
    address::tcp(Ipv4Addr::LOCALHOST, DEFAULT_ADMIN_PORT)
}

/// A client like docker opens some ten connections. The upper limit is that of Linux for open files of a process by
/// default (`fs.nr_open`).
const CONNECTION_LIMITS: RangeInclusive<usize> = 16..=1_048_576;

const DEFAULT_PORT: u16 = 5050;
const DEFAULT_ADMIN_PORT: u16 = 5051;

pub(super) const LISTENER: Keys = &[
    ("address", "\"127.0.0.1:5050\""),
    ("registry", "\"registry.example.com\""),
    ("absolute_locations", "true"),
    HOSTS,
    INSECURE_OPEN,
    MAX_CONNECTIONS,
    MODE,
    UIDS,
    TLS,
    CLIENTS,
];

pub(super) const ADMIN: Keys =
    &[("address", "\"127.0.0.1:5051\""), HOSTS, INSECURE_OPEN, MAX_CONNECTIONS, MODE, UIDS, TLS, CLIENTS];

const HOSTS: (&str, &str) = ("hosts", "[\"regpass\"]");
const INSECURE_OPEN: (&str, &str) = ("insecure_open", "false");
const MAX_CONNECTIONS: (&str, &str) = ("max_connections", "4096");
const MODE: (&str, &str) = ("mode", "\"0600\"");
const UIDS: (&str, &str) = ("uids", "[0, 1000]");
const TLS: (&str, &str) = ("tls", "{ certificate = \"/path/cert.pem\", key = \"/path/key.pem\" }");
const CLIENTS: (&str, &str) = ("clients", "{ htpasswd = \"/etc/regpass/htpasswd\" }");

//! What clients have to know of a configuration: where regpass is, and which registries it serves there.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Refusal;
use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::Scheme;
use crate::config::model::{Config, Listener};
use crate::net::socket::ListenAddress;
use crate::oci::operation::Access;
use crate::profile;

#[derive(Clone, Debug)]
pub struct View {
    pub doors: Vec<Door>,
    /// In the order of their names.
    pub mirrors: Vec<Mirror>,
    /// What the configuration has and no client can be told, with the reason.
    pub left_out: Vec<String>,
    /// Names that another file of the client speaks of, which this one must not speak over.
    pub taken: BTreeSet<String>,
}

/// A listener, as clients on this machine reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    pub scheme: Scheme,
    pub address: SocketAddr,
    /// The one registry that is behind it.
    pub pinned: Option<RegistryHost>,
}

/// A registry, and the door it is reached by.
#[derive(Clone, Debug)]
pub struct Mirror {
    pub registry: RegistryHost,
    /// Where the registry itself is, for when regpass is not there.
    pub server: String,
    pub door: Door,
    /// How names of its images begin that name regpass: `127.0.0.1:5050/ghcr.io`. `None` where no name can.
    pub name: Option<String>,
    /// Whether a request that names no registry is for this one.
    pub by_default: bool,
    /// Whether a push that names no registry may go there.
    pub push: bool,
}

impl View {
    /// `asked` are hosts or aliases; without any it is every registry that is configured or well-known.
    pub fn of(config: &Config, asked: &[String]) -> Result<Self, Refusal> {
        let mut left_out = Vec::new();
        let doors: Vec<Door> = config.listeners.iter().filter_map(|listener| door(listener, &mut left_out)).collect();
        if doors.is_empty() {
            return Err(Refusal::whole(
                "the configuration has no listener with a fixed address",
                "give it one: address = \"127.0.0.1:5050\", or --listen 127.0.0.1:5050",
            ));
        }
        let mirrors = if asked.is_empty() {
            let every = every(config, &mut left_out);
            every.iter().filter_map(|registry| mirror(config, &doors, registry)).collect()
        } else {
            let named: BTreeSet<RegistryHost> =
                asked.iter().map(|name| named(config, name)).collect::<Result<_, Refusal>>()?;
            named.iter().map(|registry| served(config, &doors, registry)).collect::<Result<_, Refusal>>()?
        };
        Ok(Self { doors, mirrors, left_out, taken: BTreeSet::new() })
    }
}

impl Door {
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.address)
    }

    /// How names of images begin that name regpass: many clients know no IPv6 address there.
    pub fn name(&self) -> String {
        if self.address.is_ipv6() && self.is_loopback() {
            return format!("localhost:{}", self.address.port());
        }
        self.authority()
    }

    pub fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}

fn door(listener: &Listener, left_out: &mut Vec<String>) -> Option<Door> {
    let Listener { registry, .. } = listener;
    let ListenAddress::Tcp(address) = listener.address else {
        left_out.push(format!("the listener {}: clients of images do not speak over unix sockets", listener.address));
        return None;
    };
    if listener.clients.is_some() {
        left_out.push(format!("the listener {address}: it wants to know its clients; log in to it with each client"));
        return None;
    }
    if address.port() == 0 {
        left_out.push(format!("the listener {address}: its port is chosen when regpass starts"));
        return None;
    }
    // Clients then want a certificate that names the address.
    let scheme = if listener.tls.is_some() { Scheme::Https } else { Scheme::Http };
    Some(Door { scheme, address: reachable(address), pinned: registry.clone() })
}

/// Where a client on this machine connects to: an address of all interfaces is one of loopback, too.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Every registry that can be named without being asked for.
fn every(config: &Config, left_out: &mut Vec<String>) -> BTreeSet<RegistryHost> {
    let mut every = BTreeSet::new();
    for entry in &config.registries {
        match &entry.pattern {
            HostPattern::Exact(host) => drop(every.insert(profile::canonical_host(host))),
            HostPattern::Family(_) => left_out.push(format!(
                "[registry.\"{}\"]: name the hosts that you use of it, as further arguments",
                entry.pattern
            )),
            HostPattern::Any => {}
        }
    }
    let known = profile::ALL.iter().flat_map(|row| row.hosts).filter_map(|host| RegistryHost::parse(host).ok());
    every.extend(known.map(|host| profile::canonical_host(&host)));
    every
}

fn named(config: &Config, name: &str) -> Result<RegistryHost, Refusal> {
    let aliased = config.registries.iter().find(|entry| entry.alias.as_deref() == Some(name));
    if let Some(HostPattern::Exact(host)) = aliased.map(|entry| &entry.pattern) {
        return Ok(host.clone());
    }
    let host = RegistryHost::parse(name).map_err(|bad| {
        Refusal::whole(
            format!("'{}' is no registry: {bad}", name.escape_debug()),
            "write its host, as in registry.example",
        )
    })?;
    let host = profile::canonical_host(&host);
    let configured = config.registries.iter().any(|entry| entry.pattern.matches(&host));
    if configured || profile::is_well_known(&host) {
        return Ok(host);
    }
    Err(Refusal::whole(
        format!("the registry '{host}' is neither well-known nor configured"),
        format!("add [registry.\"{host}\"] to the configuration"),
    ))
}

fn served(config: &Config, doors: &[Door], registry: &RegistryHost) -> Result<Mirror, Refusal> {
    mirror(config, doors, registry).ok_or_else(|| {
        Refusal::whole(
            format!("no listener serves '{registry}': each is pinned to another registry"),
            "add a [[listener]] without 'registry'",
        )
    })
}

fn mirror(config: &Config, doors: &[Door], registry: &RegistryHost) -> Option<Mirror> {
    let pinned = doors.iter().find(|door| door.pinned.as_ref() == Some(registry));
    let door = pinned.or_else(|| doors.iter().find(|door| door.pinned.is_none()))?;
    let entry = config.registries.iter().find(|entry| entry.pattern.matches(registry));
    let alias = entry.filter(|entry| matches!(entry.pattern, HostPattern::Exact(_))).and_then(|e| e.alias.as_deref());
    let path = match (&door.pinned, alias) {
        (Some(_), _) => Some(String::new()),
        (None, Some(alias)) => Some(format!("/{alias}")),
        // A path takes no port.
        (None, None) => (!registry.as_str().contains(':')).then(|| format!("/{registry}")),
    };
    let api = profile::by_host(registry).and_then(|row| row.api_host).unwrap_or(registry.as_str());
    let url = entry.and_then(|entry| entry.url.as_ref());
    let server = url.map_or_else(|| format!("https://{api}"), ToString::to_string);
    let allow = entry.map_or(&config.defaults.allow, |entry| &entry.allow);
    let by_default = door.pinned.is_some() || *registry == config.default_registry;
    Some(Mirror {
        registry: registry.clone(),
        server,
        door: door.clone(),
        name: path.map(|path| door.name() + &path),
        by_default,
        push: by_default && allow.contains(&Access::Push),
    })
}

//! What `regpass setup` writes into a client's configuration: the listeners of regpass and the registries behind them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::SetupError;
use super::version::ClientVersion;
use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::Scheme;
use crate::config::model::{Config, Listener};
use crate::listen::address::ListenAddress;
use crate::oci::operation::Access;
use crate::profile;

/// The registries for which regpass is set up as a mirror.
#[derive(Clone, Debug)]
pub struct MirrorSet {
    pub listeners: Vec<ListenerUrl>,
    /// Sorted by registry.
    pub mirrors: Vec<Mirror>,
    /// Listeners and `[registry]` tables that cannot be set up in a client, each with the reason, as lines to print.
    pub left_out: Vec<String>,
    /// Registries that another file of the client has entries for. An entry in this file would replace those.
    pub configured_elsewhere: BTreeSet<String>,
    /// The version of the client; `None` if it is unknown.
    pub client_version: Option<ClientVersion>,
}

/// The URL of a listener, as clients on this machine connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerUrl {
    pub scheme: Scheme,
    pub address: SocketAddr,
    /// The only registry that the listener serves; `None`: all of them.
    pub pinned: Option<RegistryHost>,
}

/// A registry, and the listener through which clients reach it.
#[derive(Clone, Debug)]
pub struct Mirror {
    pub registry: RegistryHost,
    /// The URL of the registry itself, which clients use when regpass does not answer.
    pub registry_url: String,
    pub listener: ListenerUrl,
    /// The prefix of image names that go to the registry through regpass, such as `127.0.0.1:5050/ghcr.io`. `None`
    /// where no image name can name the registry.
    pub image_prefix: Option<String>,
    /// Whether the listener serves this registry to requests that name none.
    pub is_default: bool,
    /// Whether the configuration allows pushes to it.
    pub allows_push: bool,
}

impl MirrorSet {
    /// The mirrors of the `requested` registries, given as hosts or aliases. Without any, those of every registry that
    /// is configured or well-known.
    pub fn from_config(config: &Config, requested: &[String]) -> Result<Self, SetupError> {
        let mut left_out = Vec::new();
        let listeners: Vec<ListenerUrl> =
            config.listeners.iter().filter_map(|listener| listener_url(listener, &mut left_out)).collect();
        if listeners.is_empty() {
            return Err(SetupError::of_file(
                "the configuration has no listener with a fixed address on TCP and without client authentication",
                "add one: `address = \"127.0.0.1:5050\"`, or `--listen 127.0.0.1:5050`",
            ));
        }
        let mirrors = if requested.is_empty() {
            let registries = all_registries(config, &mut left_out);
            registries.iter().filter_map(|registry| mirror(config, &listeners, registry)).collect()
        } else {
            let registries: BTreeSet<RegistryHost> =
                requested.iter().map(|name| requested_registry(config, name)).collect::<Result<_, SetupError>>()?;
            let mirror = |registry: &RegistryHost| {
                mirror(config, &listeners, registry).ok_or_else(|| {
                    SetupError::of_file(
                        format!("no listener serves `{registry}`: each serves another registry only"),
                        "add a `[[listener]]` without `registry`",
                    )
                })
            };
            registries.iter().map(mirror).collect::<Result<_, SetupError>>()?
        };
        Ok(Self { listeners, mirrors, left_out, configured_elsewhere: BTreeSet::new(), client_version: None })
    }
}

impl ListenerUrl {
    /// `127.0.0.1:5050`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:5050`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.address)
    }

    /// The host part of image names that name regpass. It is `localhost` for `[::1]`, because many clients accept no
    /// IPv6 address in an image name.
    pub fn image_host(&self) -> String {
        if self.address.is_ipv6() && self.is_loopback() {
            return format!("localhost:{}", self.address.port());
        }
        self.authority()
    }

    pub fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}

fn listener_url(listener: &Listener, left_out: &mut Vec<String>) -> Option<ListenerUrl> {
    let ListenAddress::Tcp(address) = listener.address else {
        left_out.push(format!("the listener {}: registry clients cannot connect to unix sockets", listener.address));
        return None;
    };
    if listener.clients.is_some() {
        left_out.push(format!("the listener {address}: its clients have to authenticate; log in with each client"));
        return None;
    }
    if address.port() == 0 {
        left_out.push(format!("the listener {address}: its port changes with every start of regpass"));
        return None;
    }
    // With TLS, the clients need a certificate that is valid for this address.
    let scheme = if listener.tls.is_some() { Scheme::Https } else { Scheme::Http };
    Some(ListenerUrl { scheme, address: connect_address(address), pinned: listener.registry.clone() })
}

/// The address at which a process on this machine connects to a listener: for an unspecified address (`0.0.0.0`,
/// `[::]`) it is the loopback address of the same family.
pub fn connect_address(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Every registry with a known host: those that are configured by host, and the well-known ones.
fn all_registries(config: &Config, left_out: &mut Vec<String>) -> BTreeSet<RegistryHost> {
    let mut registries = BTreeSet::new();
    for entry in &config.registries {
        match &entry.pattern {
            HostPattern::Exact(host) => drop(registries.insert(profile::canonical_host(host))),
            HostPattern::Subdomains(_) => left_out.push(format!(
                "[registry.\"{}\"]: to set up hosts that match this pattern, name them as arguments",
                entry.pattern
            )),
            HostPattern::Any => {}
        }
    }
    registries.extend(profile::well_known());
    registries
}

fn requested_registry(config: &Config, name: &str) -> Result<RegistryHost, SetupError> {
    let aliased = config.registries.iter().find(|entry| entry.alias.as_deref() == Some(name));
    if let Some(HostPattern::Exact(host)) = aliased.map(|entry| &entry.pattern) {
        return Ok(host.clone());
    }
    let host = RegistryHost::parse(name).map_err(|error| {
        SetupError::of_file(
            format!("`{}` is not a registry: {error}", name.escape_debug()),
            "write its host, such as `registry.example.com`",
        )
    })?;
    let host = profile::canonical_host(&host);
    let is_configured = config.registries.iter().any(|entry| entry.pattern.matches(&host));
    if is_configured || profile::is_well_known(&host) {
        return Ok(host);
    }
    Err(SetupError::of_file(
        format!("the registry `{host}` is neither well-known nor configured"),
        format!("add `[registry.\"{host}\"]` to the configuration"),
    ))
}

/// The mirror of a registry: through the listener that is pinned to it, else through the first that serves all
/// registries; `None` if there is no such listener.
fn mirror(config: &Config, listeners: &[ListenerUrl], registry: &RegistryHost) -> Option<Mirror> {
    let pinned = listeners.iter().find(|listener| listener.pinned.as_ref() == Some(registry));
    let listener = pinned.or_else(|| listeners.iter().find(|listener| listener.pinned.is_none()))?;
    let entry = config.registries.iter().find(|entry| entry.pattern.matches(registry));
    let alias = entry.filter(|entry| matches!(entry.pattern, HostPattern::Exact(_))).and_then(|e| e.alias.as_deref());
    let path = match (&listener.pinned, alias) {
        (Some(_), _) => Some(String::new()),
        (None, Some(alias)) => Some(format!("/{alias}")),
        // The path of an image name must not contain `:`, so a host with a port needs an alias.
        (None, None) => (!registry.as_str().contains(':')).then(|| format!("/{registry}")),
    };
    let api = profile::by_host(registry).and_then(|row| row.api_host).unwrap_or(registry.as_str());
    let url = entry.and_then(|entry| entry.url.as_ref());
    let allow = entry.map_or(&config.defaults.allow, |entry| &entry.allow);
    let is_default = listener.pinned.is_some() || *registry == config.default_registry;
    Some(Mirror {
        registry: registry.clone(),
        registry_url: url.map_or_else(|| format!("https://{api}"), ToString::to_string),
        listener: listener.clone(),
        image_prefix: path.map(|path| listener.image_host() + &path),
        is_default,
        allows_push: allow.contains(&Access::Push),
    })
}

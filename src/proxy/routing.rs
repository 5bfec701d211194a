//! Chooses the registry of a request. The first of these that names one wins: the listener's own registry, `?ns=`, the
//! virtual host, the first path component, the default registry. A path component that names the same registry once more
//! is dropped.

use std::sync::Arc;

use http::Method;

use super::client_urls::ClientUrls;
use super::error_response::ErrorResponse;
use super::host_check::RequestHost;
use super::listener::ListenerContext;
use super::request_url::RequestUrl;
use super::routes::{ConfiguredRegistry, Routes, unknown};
use crate::base::client_name::ClientName;
use crate::base::host::RegistryHost;
use crate::observe::record::Record;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Operation;
use crate::oci::path::ApiPath;
use crate::oci::query::Query;
use crate::profile;
use crate::upstream::SharedUpstream;
use crate::upstream::policy::RegistryPolicy;

/// A parsed API request, before its registry is looked up.
#[derive(Clone, Debug)]
pub struct RequestTarget {
    /// The registry, or the text that is not a valid registry name.
    name: Result<RegistryHost, Box<str>>,
    /// The value of `ns`, decoded, if it names this registry.
    pub namespace: Option<Box<str>>,
    path: ApiPath,
    query: Query,
    client_urls: ClientUrls,
}

impl RequestTarget {
    /// Adds the registry and the client.
    pub fn with_registry(self, registry: ConfiguredRegistry, client: Option<ClientName>) -> RoutedRequest {
        let Self { path, query, client_urls, .. } = self;
        RoutedRequest { upstream: registry.upstream, policy: registry.policy, client, path, query, client_urls }
    }

    /// Records the operation of a request that goes to no registry.
    pub fn record_operation(&self, method: &Method, record: &mut Record) {
        if let Ok(operation) = Operation::parse(method, &self.path, &self.query, &|name| name) {
            record.set_operation(&operation);
        }
    }
}

/// A request with its registry.
#[derive(Clone, Debug)]
pub struct RoutedRequest {
    pub upstream: SharedUpstream,
    pub policy: Arc<RegistryPolicy>,
    /// The client's name, if authentication found one.
    pub client: Option<ClientName>,
    /// The path below `/v2/`, without the components that name the registry.
    pub path: ApiPath,
    /// The client's query without `ns`. The source of a mount is named as at the registry.
    pub query: Query,
    /// Builds URLs for the client.
    pub client_urls: ClientUrls,
}

/// What named the registry of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selector {
    Listener,
    Namespace,
    VirtualHost,
    /// The first path component, or its absence.
    Path,
}

impl Routes {
    /// Finds the registry that a request names, and the path and query for that registry.
    pub fn target(&self, listener: &ListenerContext, host: Option<&RequestHost>, url: RequestUrl) -> RequestTarget {
        let RequestUrl { mut path, mut query } = url;
        let ns = query.value("ns");
        let mut client_urls = ClientUrls::new(listener, host);
        client_urls.ns = query.raw("ns").map(Into::into);
        query.remove("ns");
        for key in SINGLE_KEYS {
            query.keep_first(key);
        }
        let mut prefix: Vec<Box<str>> = Vec::new();
        let mut drop_first = |path: ApiPath| {
            prefix.extend(path.first().map(Into::into));
            path.without_first()
        };
        let (name, selector) = if let Some(registry) = &listener.registry {
            (Ok(registry.clone()), Selector::Listener)
        } else if let Some(ns) = &ns {
            (self.parse_registry(ns), Selector::Namespace)
        } else if let Some(name) = host.and_then(|host| self.by_host(listener, &host.name).transpose()) {
            (name, Selector::VirtualHost)
        } else if let Some(name) = path.first().and_then(|first| self.by_component(first).transpose()) {
            path = drop_first(path);
            (name, Selector::Path)
        } else {
            (Ok(self.default_registry.clone()), Selector::Path)
        };
        let mut namespace = None;
        if let Ok(registry) = &name {
            if path.first().is_some_and(|first| self.names_again(first, registry, selector)) {
                path = drop_first(path);
            }
            self.resolve_mount_source(&mut query, registry, selector);
            namespace = ns.filter(|ns| self.parse_registry(ns).is_ok_and(|named| is_same(&named, registry)));
        }
        client_urls.prefix = (!prefix.is_empty()).then(|| prefix.join("/").into());
        RequestTarget { name, namespace: namespace.map(Into::into), path, query, client_urls }
    }

    /// Looks up the registry that a request names.
    pub fn registry_for(&self, target: &RequestTarget) -> Result<ConfiguredRegistry, ErrorResponse> {
        target.name.as_ref().map_err(|name| unknown(name)).and_then(|name| self.registry(name))
    }

    /// The registry of a host name: a configured virtual host, or `<registry or alias>.localhost`. `None` for other
    /// names and for the listener's own ones. The error is a label that is not a valid registry name.
    fn by_host(&self, listener: &ListenerContext, name: &str) -> Result<Option<RegistryHost>, Box<str>> {
        if let Some(registry) = self.virtual_hosts.get(name) {
            return Ok(Some(registry.clone()));
        }
        if listener.hosts.contains(name) {
            return Ok(None);
        }
        let Some(label) = name.strip_suffix(".localhost") else { return Ok(None) };
        match self.aliases.get(label) {
            Some(registry) => Ok(Some(registry.clone())),
            None => self.parse_registry(label).map(Some),
        }
    }

    /// The registry of a first path component, if that is an alias or looks like a host.
    fn by_component(&self, component: &str) -> Result<Option<RegistryHost>, Box<str>> {
        if let Some(registry) = self.aliases.get(component) {
            return Ok(Some(registry.clone()));
        }
        let is_host = component.contains(['.', ':']) || component == "localhost";
        // Components like `..` stay in the path, whose grammar rejects them.
        if !is_host || component.starts_with('.') {
            return Ok(None);
        }
        self.parse_registry(component).map(Some)
    }

    /// Whether the first component of the path names the registry that is selected already, as in mirror
    /// configurations with a path: `/v2/ghcr.io/acme/app/…?ns=ghcr.io`. No repository begins with the host name of its
    /// own registry. An alias is a plain word that a repository may begin with, so it counts only beside `ns`, where
    /// the client has a path of its own for the registry.
    fn names_again(&self, component: &str, registry: &RegistryHost, selector: Selector) -> bool {
        let may_be_alias = selector == Selector::Namespace;
        let named = self.by_component(component).ok().flatten();
        named.is_some_and(|named| is_same(&named, registry)) && (may_be_alias || !self.aliases.contains_key(component))
    }

    /// Rewrites the source repository of a mount to its name at `registry`. Where the path selects the registry, the
    /// source is named like a path: one at another registry is removed from the query, so that the client uploads the
    /// blob. Elsewhere it is a repository of the same registry, and only the registry's own host name is removed.
    fn resolve_mount_source(&self, query: &mut Query, registry: &RegistryHost, selector: Selector) {
        let Some(from) = query.value("from") else { return };
        let (first, rest) = from.split_once('/').unwrap_or(("", &from));
        let named = self.by_component(first);
        let source = match (selector, named) {
            (Selector::Path, Ok(Some(of))) => Some((of, rest)),
            (Selector::Path, Ok(None)) => Some((self.default_registry.clone(), &*from)),
            (Selector::Path, Err(_invalid)) => None,
            (_, Ok(Some(of))) if is_same(&of, registry) && !self.aliases.contains_key(first) => Some((of, rest)),
            _ => return,
        };
        match source {
            // An invalid name stays in the query: parsing the operation rejects it.
            Some((of, name)) if is_same(&of, registry) => {
                if RepositoryName::parse(name).is_ok() {
                    query.set("from", name);
                }
            }
            _ => {
                query.remove("from");
                query.remove("mount");
            }
        }
    }

    /// The registry with this alias or host name. The error is the text, if it is neither.
    fn parse_registry(&self, name: &str) -> Result<RegistryHost, Box<str>> {
        if let Some(registry) = self.aliases.get(name) {
            return Ok(registry.clone());
        }
        RegistryHost::parse(name).map_err(|_| name.into())
    }
}

/// Whether two names mean the same registry.
fn is_same(one: &RegistryHost, other: &RegistryHost) -> bool {
    profile::canonical_host(one) == profile::canonical_host(other)
}

/// Query keys that regpass checks. Only the first value is kept, so that the registry cannot use another one.
const SINGLE_KEYS: [&str; 3] = ["digest", "from", "mount"];

//! Chooses the registry of a request. The first of these that names one wins: the listener's own registry, `?ns=`, the
//! virtual host, the first path component, the default registry.

use std::sync::Arc;

use http::{Method, StatusCode, Uri, request};

use super::error_response::ErrorResponse;
use super::host_check::RequestHost;
use super::listener::ListenerContext;
use super::routes::{ConfiguredRegistry, Routes, unknown};
use crate::base::client_name::ClientName;
use crate::base::host::RegistryHost;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Operation;
use crate::oci::path::{ApiPath, ApiPathError};
use crate::oci::query::Query;
use crate::profile;
use crate::upstream::SharedUpstream;
use crate::upstream::policy::RegistryPolicy;

/// A parsed API request, before its registry is looked up.
#[derive(Clone, Debug)]
pub struct RequestTarget {
    /// The registry, or the text that is not a valid registry name.
    name: Result<RegistryHost, Box<str>>,
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

    /// Records the operation of a request whose registry is unknown.
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
    /// The path below `/v2/`, without a first component that names the registry.
    pub path: ApiPath,
    /// The client's query without `ns`. The source of a mount is named as at the registry.
    pub query: Query,
    /// Builds URLs for the client.
    pub client_urls: ClientUrls,
}

/// The parts of the client's URL that selected the registry. URLs in responses repeat them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientUrls {
    /// The first path component, as the client wrote it.
    pub prefix: Option<Box<str>>,
    /// The value of `ns`, as the client wrote it.
    pub ns: Option<Box<str>>,
}

impl ClientUrls {
    /// The URL path and query by which the client reaches `path_below_v2`.
    pub fn url(&self, path_below_v2: &str, mut query: Query) -> String {
        if let Some(ns) = &self.ns {
            query.set("ns", ns);
        }
        let prefix = self.prefix.as_ref().map(|prefix| format!("/{prefix}")).unwrap_or_default();
        query.append_to(&format!("/v2{prefix}{path_below_v2}"))
    }
}

impl Routes {
    /// Parses a request into the registry it names and the path and query for that registry.
    pub fn target(
        &self,
        listener: &ListenerContext,
        host: Option<&RequestHost>,
        head: &request::Parts,
    ) -> Result<RequestTarget, ErrorResponse> {
        let (path, query) = split_query(&head.uri);
        let path = ApiPath::parse(path).map_err(not_api)?;
        let mut query = Query::parse(query);
        let ns = query.value("ns");
        let raw_ns = query.raw("ns").map(Into::into);
        query.remove("ns");
        for key in SINGLE_KEYS {
            query.keep_first(key);
        }
        let client_urls = ClientUrls { prefix: None, ns: raw_ns };
        let (name, path, client_urls, by_path) = if let Some(registry) = &listener.registry {
            (Ok(registry.clone()), path, client_urls, false)
        } else if let Some(ns) = ns {
            (self.parse_registry(&ns), path, client_urls, false)
        } else if let Some(name) = host.and_then(|host| self.by_host(listener, &host.name).transpose()) {
            (name, path, client_urls, false)
        } else if let Some(name) = path.first().and_then(|first| self.by_component(first).transpose()) {
            let prefix = path.first().map(Into::into);
            (name, path.without_first(), ClientUrls { prefix, ..client_urls }, true)
        } else {
            (Ok(self.default_registry.clone()), path, client_urls, true)
        };
        if let (Ok(registry), true) = (&name, by_path) {
            self.resolve_mount_source(&mut query, registry);
        }
        Ok(RequestTarget { name, path, query, client_urls })
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

    /// Rewrites the source repository of a mount to its name at `registry`. A mount from another registry is removed
    /// from the query, so that the client uploads the blob.
    fn resolve_mount_source(&self, query: &mut Query, registry: &RegistryHost) {
        let Some(from) = query.value("from") else { return };
        let (first, rest) = from.split_once('/').unwrap_or(("", &from));
        let source = match self.by_component(first) {
            Ok(Some(of)) => Some((of, rest)),
            Ok(None) => Some((self.default_registry.clone(), &*from)),
            Err(_invalid) => None,
        };
        match source {
            // An invalid name stays in the query: parsing the operation rejects it.
            Some((of, name)) if profile::canonical_host(&of) == profile::canonical_host(registry) => {
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

/// Path and query of a request. Some scripts append `&digest=` to any upload location, because the locations of their
/// registry have a query. No path of the API contains an ampersand.
fn split_query(uri: &Uri) -> (&str, Option<&str>) {
    match (uri.query(), uri.path().split_once('&')) {
        (None, Some((path, query))) if path.contains("/blobs/uploads/") => (path, Some(query)),
        (query, _) => (uri.path(), query),
    }
}

fn not_api(why: ApiPathError) -> ErrorResponse {
    let (status, code, message) = match why {
        ApiPathError::OutsideApi => (
            StatusCode::NOT_FOUND,
            ErrorCode::Unsupported,
            "not found: regpass serves only the distribution API below /v2/",
        ),
        ApiPathError::BadEncoding => (
            StatusCode::BAD_REQUEST,
            ErrorCode::NameInvalid,
            "the path contains an encoded slash, a control character or bytes that are not UTF-8",
        ),
    };
    ErrorResponse::new(status, code, Blame::Client, Step::Route, message)
}

/// Query keys that regpass checks. Only the first value is kept, so that the registry cannot use another one.
const SINGLE_KEYS: [&str; 3] = ["digest", "from", "mount"];

//! Which registry a request is for. First match wins: pinned listener, `?ns=`, virtual host, first path component,
//! default registry.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use http::{Method, StatusCode, Uri, request};

use super::admit::{Addressed, Front};
use super::failure::Failure;
use crate::base::client_name::ClientName;
use crate::base::host::{HostPattern, RegistryHost};
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Operation;
use crate::oci::path::{ApiPath, NotApi};
use crate::oci::query::Query;
use crate::profile;
use crate::upstream::SharedUpstream;
use crate::upstream::terms::Terms;

/// Makes what a request needs of a registry that the configuration names or implies.
pub type Build = dyn Fn(&RegistryHost) -> Option<Configured> + Send + Sync;

/// A registry, and the terms on which it is used.
#[derive(Clone, Debug)]
pub struct Configured {
    pub upstream: SharedUpstream,
    pub terms: Arc<Terms>,
}

/// The registries of one configuration.
pub struct Routes {
    pub default_registry: RegistryHost,
    /// First path components and labels below `localhost` that mean a registry.
    pub aliases: HashMap<Box<str>, RegistryHost>,
    /// Host names that mean a registry.
    pub virtual_hosts: HashMap<Box<str>, RegistryHost>,
    /// The registries that the configuration names, the default one first.
    pub configured: Vec<RegistryHost>,
    /// Its patterns, which mean registries that have yet to be asked for.
    pub patterns: Vec<HostPattern>,
    /// The file the configuration came from.
    pub file: Option<PathBuf>,
    /// Where the status page is, if there is one.
    pub status_page: Option<Box<str>>,
    build: Box<Build>,
    registries: DashMap<RegistryHost, Configured>,
}

/// A request taken apart, whether or not there is such a registry.
#[derive(Clone, Debug)]
pub struct Place {
    /// Or what is no registry's name.
    name: Result<RegistryHost, Box<str>>,
    path: ApiPath,
    query: Query,
    outside: Outside,
}

impl Place {
    /// With its registry, and whose request it is.
    pub fn at(self, registry: Configured, client: Option<ClientName>) -> Routed {
        let Self { path, query, outside, .. } = self;
        Routed { upstream: registry.upstream, terms: registry.terms, client, path, query, outside }
    }

    /// Records what was asked of a registry that is not there.
    pub fn tell(&self, method: &Method, record: &mut Record) {
        if let Ok(operation) = Operation::parse(method, &self.path, &self.query, &|name| name) {
            record.means(&operation);
        }
    }
}

/// A request whose registry is known.
#[derive(Clone, Debug)]
pub struct Routed {
    pub upstream: SharedUpstream,
    pub terms: Arc<Terms>,
    /// Whose request it is, where the listener knows.
    pub client: Option<ClientName>,
    /// What follows `/v2/` at the registry.
    pub path: ApiPath,
    /// The client's query, less what was meant for regpass.
    pub query: Query,
    /// How the client names the registry's API root.
    pub outside: Outside,
}

/// The part of the client's URLs that chose the registry, and that answers have to repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// The first path component, as the client wrote it.
    pub prefix: Option<Box<str>>,
    /// The value of `ns`, as the client wrote it.
    pub ns: Option<Box<str>>,
}

impl Outside {
    /// A path below `/v2` as the client would ask for it.
    pub fn url(&self, path_below_v2: &str, mut query: Query) -> String {
        if let Some(ns) = &self.ns {
            query.set("ns", ns);
        }
        let prefix = self.prefix.as_ref().map(|prefix| format!("/{prefix}")).unwrap_or_default();
        query.after(&format!("/v2{prefix}{path_below_v2}"))
    }
}

impl Routes {
    pub fn new(default_registry: RegistryHost, build: Box<Build>) -> Self {
        Self {
            configured: vec![default_registry.clone()],
            patterns: Vec::new(),
            default_registry,
            aliases: HashMap::new(),
            virtual_hosts: HashMap::new(),
            file: None,
            status_page: None,
            build,
            registries: DashMap::new(),
        }
    }

    /// Takes a request for the API apart: which registry it names, and what of it is for that one.
    pub fn place(&self, front: &Front, addressed: Option<&Addressed>, head: &request::Parts) -> Result<Place, Failure> {
        let (path, query) = without_joint(&head.uri);
        let path = ApiPath::parse(path).map_err(not_api)?;
        let mut query = Query::parse(query);
        let ns = query.value("ns");
        let raw_ns = query.raw("ns").map(Into::into);
        query.remove("ns");
        for key in TOLD_ONCE {
            query.keep_first(key);
        }
        let outside = Outside { prefix: None, ns: raw_ns };
        let (name, path, outside, by_path) = if let Some(pinned) = &front.pinned {
            (Ok(pinned.clone()), path, outside, false)
        } else if let Some(ns) = ns {
            (self.named(&ns), path, outside, false)
        } else if let Some(name) = addressed.and_then(|addressed| self.by_host(front, &addressed.name).transpose()) {
            (name, path, outside, false)
        } else if let Some(name) = path.first().and_then(|first| self.by_component(first).transpose()) {
            let prefix = path.first().map(Into::into);
            (name, path.without_first(), Outside { prefix, ..outside }, true)
        } else {
            (Ok(self.default_registry.clone()), path, outside, true)
        };
        if let (Ok(registry), true) = (&name, by_path) {
            self.place_source(&mut query, registry);
        }
        Ok(Place { name, path, query, outside })
    }

    /// The registry that a request names.
    pub fn find(&self, place: &Place) -> Result<Configured, Failure> {
        place.name.as_ref().map_err(|name| unknown(name)).and_then(|name| self.registry(name))
    }

    pub fn is_virtual_host(&self, name: &str) -> bool {
        self.virtual_hosts.contains_key(name)
    }

    /// A registry by its name, made on first use.
    fn registry(&self, name: &RegistryHost) -> Result<Configured, Failure> {
        let name = profile::canonical_host(name);
        if let Some(known) = self.registries.get(&name) {
            return Ok(known.clone());
        }
        // Under the entry's lock: of two that were made at once, one would be lost to the next configuration.
        let made = match self.registries.entry(name.clone()) {
            Entry::Occupied(known) => return Ok(known.get().clone()),
            Entry::Vacant(place) => {
                let new = (self.build)(&name).ok_or_else(|| unknown(name.as_str()))?;
                place.insert(new).clone()
            }
        };
        if self.registries.len() > MOST_REGISTRIES {
            self.registries.retain(|host, _| *host == name || self.is_named(host));
        }
        Ok(made)
    }

    /// Whether it is one of those that are known by name. A pattern means as many as clients can think of.
    fn is_named(&self, host: &RegistryHost) -> bool {
        self.configured.contains(host) || profile::is_well_known(host)
    }

    /// Makes the registries that were in use under another configuration, as far as they are in this one: what they
    /// know is kept only as long as somebody has it.
    pub fn take_over(&self, before: &Self) {
        for known in &before.registries {
            _ = self.registry(known.key());
        }
    }

    /// The registries that were used since this configuration came into force.
    pub fn used(&self) -> Vec<Configured> {
        self.registries.iter().map(|known| known.clone()).collect()
    }

    /// Every registry that is configured, in that order, or in use.
    pub fn registries(&self) -> Vec<Configured> {
        let mut all: Vec<Configured> = Vec::new();
        for registry in self.configured.iter().filter_map(|host| self.registry(host).ok()) {
            if !all.iter().any(|known| known.upstream.host == registry.upstream.host) {
                all.push(registry);
            }
        }
        let mut others = self.used();
        others.retain(|other| !all.iter().any(|known| known.upstream.host == other.upstream.host));
        others.sort_by(|a, b| a.upstream.host.as_str().cmp(b.upstream.host.as_str()));
        all.extend(others);
        all
    }

    /// A virtual host of the configuration, or `<registry or alias>.localhost`; the listener's own names mean none.
    fn by_host(&self, front: &Front, name: &str) -> Result<Option<RegistryHost>, Box<str>> {
        if let Some(registry) = self.virtual_hosts.get(name) {
            return Ok(Some(registry.clone()));
        }
        if front.hosts.contains(name) {
            return Ok(None);
        }
        let Some(label) = name.strip_suffix(".localhost") else { return Ok(None) };
        match self.aliases.get(label) {
            Some(registry) => Ok(Some(registry.clone())),
            None => self.named(label).map(Some),
        }
    }

    fn by_component(&self, component: &str) -> Result<Option<RegistryHost>, Box<str>> {
        if let Some(registry) = self.aliases.get(component) {
            return Ok(Some(registry.clone()));
        }
        let is_host = component.contains(['.', ':']) || component == "localhost";
        // `..` and the like are no hosts: they stay in the path, whose grammar refuses them.
        if !is_host || component.starts_with('.') {
            return Ok(None);
        }
        self.named(component).map(Some)
    }

    /// Names a mount's source as `registry` knows it. A source at another registry is none: the blob has to be sent.
    fn place_source(&self, query: &mut Query, registry: &RegistryHost) {
        let Some(from) = query.value("from") else { return };
        let (first, rest) = from.split_once('/').unwrap_or(("", &from));
        let placed = match self.by_component(first) {
            Ok(Some(of)) => Some((of, rest)),
            Ok(None) => Some((self.default_registry.clone(), &*from)),
            Err(_unknown) => None,
        };
        match placed {
            // What is no name is left for the grammar to refuse.
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

    /// The registry of a name or an alias, or what is neither.
    fn named(&self, name: &str) -> Result<RegistryHost, Box<str>> {
        if let Some(registry) = self.aliases.get(name) {
            return Ok(registry.clone());
        }
        RegistryHost::parse(name).map_err(|_| name.into())
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes").field("default_registry", &self.default_registry).finish_non_exhaustive()
    }
}

/// Path and query of a request. Scripts written for registries whose upload locations have a query put `&digest=`
/// behind every location; no path of the API has an ampersand of its own.
fn without_joint(uri: &Uri) -> (&str, Option<&str>) {
    match (uri.query(), uri.path().split_once('&')) {
        (None, Some((path, query))) if path.contains("/blobs/uploads/") => (path, Some(query)),
        (query, _) => (uri.path(), query),
    }
}

/// regpass is no open proxy: what nobody configured is not reached.
fn unknown(name: &str) -> Failure {
    let name: String = name.chars().take(100).flat_map(char::escape_debug).collect();
    let message = format!(
        "the registry '{name}' is neither well-known nor configured; add [registry.\"{name}\"] to the configuration"
    );
    Failure::new(StatusCode::NOT_FOUND, ErrorCode::NameUnknown, Blame::Client, Step::Route, message)
}

fn not_api(why: NotApi) -> Failure {
    let (status, code, message) = match why {
        NotApi::Elsewhere => (
            StatusCode::NOT_FOUND,
            ErrorCode::Unsupported,
            "regpass serves the distribution API below /v2/ and nothing else",
        ),
        NotApi::Encoding => (
            StatusCode::BAD_REQUEST,
            ErrorCode::NameInvalid,
            "the path holds an encoded slash, a control character or bytes that are no text",
        ),
    };
    Failure::new(status, code, Blame::Client, Step::Route, message)
}

/// What of a query is judged here: the registry must not find another value of it.
const TOLD_ONCE: [&str; 3] = ["digest", "from", "mount"];
const MOST_REGISTRIES: usize = 1024;

//! The decoded configuration, with every default applied.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::cloud::Cloud;
use super::hub_remote::HubRemote;
use super::patterns::RepositoryPatterns;
use super::trusted_host::TrustedHost;
use crate::base::client_name::ClientName;
use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::{Origin, Url};
use crate::base::secret::Secret;
use crate::listen::address::ListenAddress;
use crate::oci::operation::Access;
use crate::profile::Profile;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that the configuration was read from; `None` without a file.
    pub file: Option<PathBuf>,
    pub listeners: Vec<Listener>,
    pub admin: Option<Admin>,
    pub default_registry: RegistryHost,
    /// Settings of registries whose table does not set them, and of well-known registries without a table.
    pub defaults: Defaults,
    /// Most specific first: exact hosts, domains (longest domain first), `*`.
    pub registries: Vec<Registry>,
    pub timeouts: Timeouts,
    /// The keys that encrypt and authenticate upload URLs: the first one is used for new uploads, all are accepted.
    /// Empty: each process makes a random key.
    pub upload_keys: Vec<SecretSource>,
    /// Bytes of one streamed upload that are kept in a file, so that the upload can be sent again. The first 128 KiB do
    /// not count: they are kept in memory, even when this is zero.
    pub upload_spool: u64,
}

impl Config {
    /// The files that are read together with the configuration (certificates and keys). An error in one of them is an
    /// error of the configuration.
    pub fn files(&self) -> Vec<PathBuf> {
        let files_of = |registry: &Registry| {
            let client =
                registry.client_certificate.clone().into_iter().flat_map(|files| [files.certificate, files.key]);
            registry.ca.clone().into_iter().chain(client)
        };
        self.registries.iter().flat_map(files_of).chain(self.all_listeners().flat_map(Listener::files)).collect()
    }

    /// The listeners for clients, followed by the admin listener.
    pub fn all_listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().chain(self.admin.iter().map(|admin| &admin.listener))
    }
}

/// A listener, for clients or for the admin endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub address: ListenAddress,
    /// File mode of a unix socket.
    pub mode: u32,
    /// User ids of this machine that may use a unix socket; `None`: every user that can connect.
    pub uids: Option<BTreeSet<u32>>,
    pub tls: Option<CertificateFiles>,
    /// How clients authenticate; `None`: not at all.
    pub clients: Option<ClientRule>,
    /// The only registry that this listener serves; `None`: all of them.
    pub registry: Option<RegistryHost>,
    /// Further names that the listener accepts in `Host`, without port, in lower case.
    pub hosts: BTreeSet<Box<str>>,
    /// Whether other machines may use the listener without authentication.
    pub insecure_open: bool,
    /// Connections at a time; above it, idle ones are closed for new ones.
    pub max_connections: usize,
    /// Whether URLs in responses have scheme, host name and port, for clients that do not resolve relative ones.
    pub absolute_locations: bool,
    /// Whether regpass runs without this listener when its address cannot be bound. True for the IPv6 address of
    /// `localhost` and for the admin listener that exists without any configuration.
    pub optional: bool,
}

/// See [`Listener::max_connections`].
const DEFAULT_MAX_CONNECTIONS: usize = 4096;

impl Listener {
    /// A listener with default settings.
    pub fn at(address: ListenAddress) -> Self {
        Self {
            address,
            mode: DEFAULT_MODE,
            uids: None,
            tls: None,
            clients: None,
            registry: None,
            hosts: BTreeSet::new(),
            insecure_open: false,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            absolute_locations: false,
            optional: false,
        }
    }

    /// Whether the listener checks `Host`, so that a web page cannot reach it through a DNS name that points to it (DNS
    /// rebinding). True on loopback addresses and with `insecure_open`. A unix socket needs no check: web pages cannot
    /// connect to it.
    pub fn checks_host(&self) -> bool {
        !self.address.is_unix() && (self.address.is_local() || self.insecure_open)
    }

    /// Whether clients send passwords or tokens to this listener over a network without TLS.
    pub fn has_unencrypted_credentials(&self) -> bool {
        let has_client_credentials = matches!(self.clients, Some(ClientRule::Htpasswd(_) | ClientRule::Bearer(_)));
        has_client_credentials && self.tls.is_none() && !self.address.is_local()
    }

    /// The files that are read together with the configuration. htpasswd files and bearer tokens are not among them:
    /// they are read when they are used.
    fn files(&self) -> Vec<PathBuf> {
        let authorities = match &self.clients {
            Some(ClientRule::MutualTls(authorities)) => Some(authorities.clone()),
            _ => None,
        };
        let pair = self.tls.clone().into_iter().flat_map(|tls| [tls.certificate, tls.key]);
        pair.chain(authorities).collect()
    }
}

/// How clients of a listener authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientRule {
    /// By Basic, as a user of this file in the format of `htpasswd -B`.
    Htpasswd(PathBuf),
    /// By Bearer, with this token.
    Bearer(SecretSource),
    /// By a TLS client certificate of one of the authorities in this file.
    MutualTls(PathBuf),
}

/// The PEM files of a certificate chain and of its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Default file mode of a unix socket: only the user that runs regpass may connect.
pub const DEFAULT_MODE: u32 = 0o600;

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    pub listener: Listener,
}

/// Settings of registries that do not set them in a table of their own.
#[derive(Clone, Debug)]
pub struct Defaults {
    pub allow: BTreeSet<Access>,
    pub credential: CredentialSource,
    pub verify: bool,
}

/// The settings of one registry, or of all registries that `pattern` matches.
#[derive(Clone, Debug)]
pub struct Registry {
    pub pattern: HostPattern,
    /// Origin of the API, if it differs from the profile's and from `https://<host>`.
    pub url: Option<Origin>,
    pub alias: Option<Box<str>>,
    /// The profile that the file names; `None`: it is looked up by host or detected from the registry's answers.
    pub profile: Option<&'static Profile>,
    pub allow: BTreeSet<Access>,
    pub repositories: RepositoryRules,
    /// Virtual hosts that select this registry, without port, in lower case.
    pub hosts: BTreeSet<Box<str>>,
    pub credential: CredentialSource,
    pub redirects: Redirects,
    /// Whether blobs are hashed and compared with their digest as they pass.
    pub verify: bool,
    /// Hosts of token services that the credential may be sent to, besides the profile's and the registry's own origin.
    pub realm_hosts: Vec<TrustedHost>,
    /// Hosts that upload locations may be on, besides the registry's own origin.
    pub upload_hosts: Vec<TrustedHost>,
    /// Base URL of the vendor's own API, if it is not the profile's.
    pub vendor_api: Option<Url>,
    /// The parts of the registry that mirror Docker Hub.
    pub hub_remotes: Vec<HubRemote>,
    pub ca: Option<PathBuf>,
    pub client_certificate: Option<CertificateFiles>,
    pub identities: Vec<Identity>,
}

impl Registry {
    /// A registry with default settings.
    pub fn with_defaults(pattern: HostPattern, defaults: &Defaults) -> Self {
        Self {
            pattern,
            url: None,
            alias: None,
            profile: None,
            allow: defaults.allow.clone(),
            repositories: RepositoryRules::default(),
            hosts: BTreeSet::new(),
            credential: defaults.credential.clone(),
            redirects: Redirects::Follow,
            verify: defaults.verify,
            realm_hosts: Vec::new(),
            upload_hosts: Vec::new(),
            vendor_api: None,
            hub_remotes: Vec::new(),
            ca: None,
            client_certificate: None,
            identities: Vec::new(),
        }
    }
}

/// The repositories that each action is allowed for. An action without an entry is allowed for every repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryRules(pub BTreeMap<Access, RepositoryPatterns>);

/// A credential for some repositories or clients of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `None`: every repository, and requests that concern no repository.
    pub repositories: Option<RepositoryPatterns>,
    /// The clients that the identity is for; empty: all.
    pub clients: BTreeSet<ClientName>,
    pub credential: CredentialSource,
}

/// What regpass does with a redirect to a blob store: follow it, or pass it on to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    Follow,
    Pass,
}

/// Where the credential of a registry comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    Anonymous,
    Password {
        username: SecretSource,
        password: SecretSource,
    },
    Identity {
        token: SecretSource,
        username: Option<SecretSource>,
    },
    Bearer {
        token: SecretSource,
    },
    /// A configuration file of docker or podman; `None`: the files at their default paths.
    Docker {
        file: Option<PathBuf>,
    },
    /// The program `docker-credential-<name>`.
    Helper {
        name: Box<str>,
        timeout: Duration,
    },
    Cloud(Cloud),
}

impl CredentialSource {
    /// The value of `source` in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Password { .. } => "password",
            Self::Identity { .. } => "identity",
            Self::Bearer { .. } => "bearer",
            Self::Docker { .. } => "docker",
            Self::Helper { .. } => "helper",
            Self::Cloud(cloud) => cloud.name(),
        }
    }
}

/// Where a secret comes from. A variable is read with the configuration, a file whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    Value { secret: Secret, source: ValueSource },
    File(PathBuf),
}

/// Shortest upload key, in bytes. With a guessed key a client could make regpass send requests of an upload, and the
/// credential with them, to any path of the registry.
pub const MIN_UPLOAD_KEY_LENGTH: usize = 16;

/// How the configuration gives a secret value. `regpass check` shows the variable instead of the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    Literal,
    Variable(Box<str>),
}

/// Time limits of the steps of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS handshake together.
    pub connect: Duration,
    /// Fetching one token, with all retries.
    pub token: Duration,
    /// From the last piece of the request sent to the head of the response.
    pub response_head: Duration,
    /// Idle timeout: between two pieces of a body, in either direction.
    pub body_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            token: Duration::from_secs(10),
            response_head: Duration::from_secs(30),
            body_idle: Duration::from_secs(30),
        }
    }
}

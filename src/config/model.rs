//! The configuration in its final form: every default applied, nothing left to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::cloud::Cloud;
use super::hub_remote::HubRemote;
use super::patterns::RepositoryPatterns;
use super::trusted_host::TrustedHost;
use crate::base::client_name::ClientName;
use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::Origin;
use crate::base::secret::Secret;
use crate::net::socket::ListenAddress;
use crate::oci::operation::Access;
use crate::profile::Profile;

#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from.
    pub file: Option<PathBuf>,
    pub listeners: Vec<Listener>,
    pub admin: Option<Admin>,
    pub default_registry: RegistryHost,
    /// What applies to a well-known registry that has no entry of its own.
    pub defaults: Defaults,
    /// Most specific first: exact hosts, families (longest domain first), `*`.
    pub registries: Vec<Registry>,
    pub timeouts: Timeouts,
    /// What upload locations are signed with: the first signs, all verify. Empty: a random key for each process.
    pub upload_keys: Vec<SecretSource>,
    /// How many bytes of one streamed upload are kept for sending it again. The first few are in memory, whatever this
    /// says; the rest goes into a file.
    pub upload_spool: u64,
}

impl Config {
    /// The files it names that are read together with it: what is wrong with them is wrong with the configuration.
    pub fn files(&self) -> Vec<PathBuf> {
        let of = |registry: &Registry| {
            let identity = registry.client_certificate.clone();
            let identity = identity.into_iter().flat_map(|identity| [identity.certificate, identity.key]);
            registry.ca.clone().into_iter().chain(identity)
        };
        self.registries.iter().flat_map(of).chain(self.all_listeners().flat_map(Listener::files)).collect()
    }

    /// The admin listener among them, as the last.
    pub fn all_listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().chain(self.admin.iter().map(|admin| &admin.listener))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub address: ListenAddress,
    /// Of the file of a unix socket.
    pub mode: u32,
    /// The users of this machine that may use a unix socket; `None`: whoever can connect.
    pub uids: Option<BTreeSet<u32>>,
    pub tls: Option<ServerCertificate>,
    /// Who may use it; `None`: whoever reaches it.
    pub clients: Option<ClientRule>,
    /// The one registry this listener serves.
    pub registry: Option<RegistryHost>,
    /// Further `Host` names it answers to, without port, lower case.
    pub hosts: BTreeSet<Box<str>>,
    pub insecure_open: bool,
    /// Whether the process goes on without it when the address is taken or not there (the default addresses).
    pub optional: bool,
}

impl Listener {
    /// An address and nothing else said.
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
            optional: false,
        }
    }

    /// Whether `Host` is checked: where web pages could get by a name that somebody pointed here, which is on this
    /// machine and wherever nobody has to log in. No page reaches a unix socket.
    pub fn checks_host(&self) -> bool {
        !self.address.is_unix() && (self.address.is_local() || self.insecure_open)
    }

    /// Whether logins of its clients cross a network for all to read.
    pub fn shows_logins(&self) -> bool {
        let by_login = matches!(self.clients, Some(ClientRule::Htpasswd(_) | ClientRule::Bearer(_)));
        by_login && self.tls.is_none() && !self.address.is_local()
    }

    /// What is read together with the configuration. Lists of users and bearer secrets are looked at when they are used.
    fn files(&self) -> Vec<PathBuf> {
        let authorities = match &self.clients {
            Some(ClientRule::MutualTls(authorities)) => Some(authorities.clone()),
            _ => None,
        };
        let pair = self.tls.clone().into_iter().flat_map(|tls| [tls.certificate, tls.key]);
        pair.chain(authorities).collect()
    }
}

/// Who may use a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientRule {
    /// The users of a file as `htpasswd -B` writes it.
    Htpasswd(PathBuf),
    /// Whoever has the secret.
    Bearer(SecretSource),
    /// Whoever shows a certificate of these authorities.
    MutualTls(PathBuf),
}

/// What a listener shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCertificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Of a unix socket: for the user that regpass runs as.
pub const DEFAULT_MODE: u32 = 0o600;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    pub listener: Listener,
}

#[derive(Clone, Debug)]
pub struct Defaults {
    pub allow: BTreeSet<Access>,
    pub credential: CredentialSource,
}

#[derive(Clone, Debug)]
pub struct Registry {
    pub pattern: HostPattern,
    /// API origin, when it is neither the profile's nor `https://<host>`.
    pub url: Option<Origin>,
    pub alias: Option<Box<str>>,
    /// When the file names one; otherwise the host decides.
    pub profile: Option<&'static Profile>,
    pub allow: BTreeSet<Access>,
    /// `None`: every repository.
    pub repositories: RepositoryRules,
    /// Virtual hosts that mean this registry, without port, lower case.
    pub hosts: BTreeSet<Box<str>>,
    pub credential: CredentialSource,
    pub redirects: Redirects,
    /// Token services that may see the credential.
    pub realm_hosts: Vec<TrustedHost>,
    /// Where its upload locations may lead beside its own origin.
    pub upload_hosts: Vec<TrustedHost>,
    /// Where it stands for Docker Hub.
    pub hub_remotes: Vec<HubRemote>,
    pub ca: Option<PathBuf>,
    pub client_certificate: Option<ClientCertificate>,
    pub identities: Vec<Identity>,
}

impl Registry {
    /// An entry that says nothing but which registry it is.
    pub fn plain(pattern: HostPattern, defaults: &Defaults) -> Self {
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
            realm_hosts: Vec::new(),
            upload_hosts: Vec::new(),
            hub_remotes: Vec::new(),
            ca: None,
            client_certificate: None,
            identities: Vec::new(),
        }
    }
}

/// The allow-lists by action; an action without an entry may touch every repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryRules(pub BTreeMap<Access, RepositoryPatterns>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `None`: all, and what concerns none.
    pub repositories: Option<RepositoryPatterns>,
    /// The clients it is for; empty: all.
    pub clients: BTreeSet<ClientName>,
    pub credential: CredentialSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    Follow,
    Pass,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

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
    /// docker's or podman's file; `None` for the usual places.
    Docker {
        file: Option<PathBuf>,
    },
    /// `docker-credential-<name>`.
    Helper {
        name: Box<str>,
        timeout: Duration,
    },
    Cloud(Cloud),
}

impl CredentialSource {
    /// The word for `source`.
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

/// Where a secret text comes from. A variable is read when the configuration is, a file whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    Value { secret: Secret, origin: ValueOrigin },
    File(PathBuf),
}

/// In bytes. Who guesses the key makes regpass send an upload, and the login with it, along a path of their choice.
pub const SHORTEST_UPLOAD_KEY: usize = 16;

/// For `check`: how the operator wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueOrigin {
    Literal,
    Variable(Box<str>),
}

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS handshake together.
    pub connect: Duration,
    /// One call of a token service.
    pub token: Duration,
    /// From the request's end to the response's head.
    pub response_head: Duration,
    /// Between two pieces of a body, either way.
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

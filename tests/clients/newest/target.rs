//! The registries that an operation of a client runs at: behind regpass, and directly.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::root::command;
use crate::image::Image;
use crate::process::output;
use crate::push::ALLOW;
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;
use crate::sim::{self, Preset, Sim};
use crate::stack::{LONG_LIFETIME, SECOND_REGISTRY, Stack};

/// A registry as a client reaches it, with the image `python:3.12`.
pub(super) struct Target {
    /// What the table calls a simulated registry; empty for Debian's.
    pub(super) simulator: &'static str,
    /// Whether the client connects to the registry itself.
    pub(super) is_direct: bool,
    /// The host and port that the client connects to.
    host: String,
    /// The part of every image name between the host and the name of the tests.
    prefix: String,
    /// The image `python:3.12`, of two platforms.
    image: Image,
    home: TempDir,
    backend: Backend,
}

enum Backend {
    /// Debian's registry behind regpass.
    Stack(Box<Stack>),
    /// Debian's registry.
    Open(Registry),
    /// A simulated registry behind regpass.
    Simulated { sim: Sim, registry: sim::Registry, _regpass: Regpass, _secrets: TempDir },
}

impl Target {
    /// Debian's registry three times: behind regpass with a password and with tokens, and without regpass and credentials.
    /// Two simulated registries behind regpass, whose token services are on another host and on their own.
    pub(super) async fn all() -> Vec<Self> {
        vec![
            Self::debian(Registry::start_htpasswd().await).await,
            Self::debian(Registry::start_token(LONG_LIFETIME).await).await,
            Self::direct().await,
            Self::simulated("Docker Hub simulator", "docker-hub", Preset::docker_hub()).await,
            Self::simulated("GHCR simulator", "ghcr", Preset::ghcr()).await,
        ]
    }

    async fn debian(registry: Registry) -> Self {
        // `docker.io` of the stack has Docker Hub's profile, with which there is no catalog.
        let default = format!("{ALLOW}default_registry = \"{SECOND_REGISTRY}\"\n");
        let stack = Stack::start_with(registry, &default).await;
        let host = stack.regpass.host();
        Self::new("", host, "library", Backend::Stack(Box::new(stack)))
    }

    async fn direct() -> Self {
        let registry = Registry::start_open_with_http(&json!({ "addr": "127.0.0.1:0" })).await;
        let host = format!("localhost:{}", registry.address.port());
        let target = Self::new("", host, "library", Backend::Open(registry));
        target.push_python().await;
        Self { is_direct: true, ..target }
    }

    async fn simulated(simulator: &'static str, profile: &str, preset: Preset) -> Self {
        let sim = Sim::loopback();
        let registry = sim.start(preset).await;
        registry.add_user(USER, PASSWORD);
        let secrets = tempfile::tempdir().expect("a directory for secrets");
        let file = secrets.path().join("password");
        fs::write(&file, PASSWORD).expect("the password is written");
        let regpass = Regpass::start(&format!(
            "{ALLOW}\n[[listener]]\naddress = \"127.0.0.1:0\"\n[registry.\"simulated.test\"]\nalias = \"sim\"\n\
             profile = \"{profile}\"\nurl = \"{url}\"\nrealm_hosts = [\"{realm}\"]\ncredential = {{ source = \"password\", \
             username = \"{USER}\", password = {{ file = \"{file}\" }} }}\n",
            url = registry.origin(),
            realm = registry.token_service().authority(),
            file = file.display(),
        ))
        .await;
        let host = regpass.host();
        let backend = Backend::Simulated { sim, registry, _regpass: regpass, _secrets: secrets };
        let target = Self::new(simulator, host, &format!("sim/{USER}"), backend);
        target.push_python().await;
        target
    }

    fn new(simulator: &'static str, host: String, prefix: &str, backend: Backend) -> Self {
        let home = tempfile::tempdir().expect("a directory for the client");
        // The same bytes as those that `Stack` pushes.
        let image = Image::build("python");
        Self { simulator, is_direct: false, host, prefix: prefix.to_owned(), image, home, backend }
    }

    async fn push_python(&self) {
        let mut skopeo = command("skopeo", self.home());
        skopeo.args(["copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"]);
        skopeo.arg(format!("oci:{}", self.image.layout().display()));
        output(skopeo.arg(format!("docker://{}/{}/python:3.12", self.host, self.prefix))).await;
    }

    /// The folder in which the client keeps its state.
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The variables of an operation's script.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let platform = &self.image.platforms[0];
        vec![
            // The registry as the client reaches it, and the start of every image's name.
            ("REGISTRY", self.host.clone()),
            ("NAMES", format!("{}/{}", self.host, self.prefix)),
            // The digests of the image python:3.12: its index, and the manifest, configuration and layer for amd64.
            ("INDEX", self.image.digest.clone()),
            ("MANIFEST", platform.manifest.clone()),
            ("CONFIG", platform.config.clone()),
            ("LAYER", platform.layer.clone()),
            // The same image as a folder of files.
            ("LAYOUT", self.image.layout().display().to_string()),
        ]
    }

    /// Whether the registry itself has a manifest.
    pub(super) async fn has(&self, repository: &str, reference: &str) -> bool {
        let debian = async |registry: &Registry| {
            registry.get(&format!("library/{repository}"), &format!("manifests/{reference}")).await.status == 200
        };
        match &self.backend {
            Backend::Stack(stack) => debian(&stack.registry).await,
            Backend::Open(registry) => debian(registry).await,
            Backend::Simulated { registry, .. } => {
                let has = |stored: &sim::Repository| stored.manifest(reference).is_some();
                registry.store().read(&format!("{USER}/{repository}"), has).unwrap_or(false)
            }
        }
    }

    /// The last requests that a simulated registry received; empty for the others.
    pub(super) fn last_requests(&self) -> String {
        let Backend::Simulated { sim, .. } = &self.backend else { return String::new() };
        let entries = sim.ledger().entries();
        let last = &entries[entries.len().saturating_sub(20)..];
        last.iter().map(|entry| format!("    {entry}")).collect::<Vec<_>>().join("\n")
    }

    /// Checks what must hold after every client: no secret in regpass's log, one token for each scope, and no broken rule
    /// of a simulator.
    pub(super) fn finish(self) {
        match self.backend {
            Backend::Stack(stack) => {
                stack.assert_one_token_per_scope();
                stack.finish();
            }
            Backend::Open(_) => {}
            Backend::Simulated { sim, .. } => sim.finish(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.is_direct { "directly at" } else { "through regpass at" };
        let registry = match &self.backend {
            Backend::Stack(stack) if stack.registry.tokens.is_some() => "Debian's registry with tokens",
            Backend::Stack(_) => "Debian's registry with a password",
            Backend::Open(_) => "Debian's registry",
            Backend::Simulated { .. } => self.simulator,
        };
        write!(f, "{way} {registry} ({})", self.host)
    }
}

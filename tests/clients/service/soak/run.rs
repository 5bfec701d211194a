//! One run of the soak test: two registries, the shared socket of regpass, the results, and when the run ends.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use super::results::{Operation, Results};
use super::target_registry::TargetRegistry;
use crate::image::{Image, Platform};
use crate::process::program;
use crate::registry::Registry;
use crate::stack::SECOND_REGISTRY;

/// So short that every second upload needs a new token. The registry itself accepts a token for another minute.
const TOKEN_LIFETIME: Duration = Duration::from_secs(10);

/// Sizes of layers. The larger ones are in transit when processes are replaced.
const LAYER_SIZES: [usize; 4] = [20 << 10, 3 << 20, 300 << 10, 1 << 20];
const LARGE_LAYER_SIZE: usize = 12 << 20;

pub(super) struct SoakRun {
    end: Instant,
    pub(super) results: Results,
    /// The socket on which all processes of regpass listen.
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
    /// Requires a password.
    pub(super) basic: TargetRegistry,
    /// Requires tokens.
    pub(super) token: TargetRegistry,
    /// In both registries as `soak/large:1`.
    pub(super) large: Image,
    /// In both registries as `soak/index:1`, with two platforms.
    pub(super) index: Image,
    pub(super) home: TempDir,
}

/// One round of a client's loop: a push and a pull.
pub(super) struct Round<'a> {
    client: &'static str,
    results: &'a Results,
    pub(super) registry: &'a TargetRegistry,
    /// The repository to push to.
    pub(super) repository: String,
    /// The tag to push, which is new.
    pub(super) tag: String,
    /// The image to push, with one platform and new content.
    pub(super) image: Image,
}

impl SoakRun {
    pub(super) async fn start(duration: Duration) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("a bound address");
        let basic = TargetRegistry::new(Registry::start_htpasswd().await, "", address.port());
        let token = TargetRegistry::new(Registry::start_token(TOKEN_LIFETIME).await, "reg/", address.port());
        let large = Image::build_with("large", &["amd64"], LARGE_LAYER_SIZE);
        let index = Image::build_with("index", &["amd64", "arm64"], LAYER_SIZES[2]);
        for target in [&basic, &token] {
            for (image, name) in [(&large, "soak/large:1"), (&index, "soak/index:1")] {
                target.registry.push(image, name).await;
                assert_eq!(target.registry.digest(name).await, image.digest, "{name}");
            }
        }
        let home = tempfile::tempdir().expect("a directory for regpass");
        let end = Instant::now() + duration;
        Self { end, results: Results::default(), socket, address, basic, token, large, index, home }
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.home.path().join("config.toml")
    }

    /// The command that serves with the configuration file.
    pub(super) fn command(&self) -> Command {
        let mut command = program(env!("CARGO_BIN_EXE_regpass"), self.home.path());
        command.args(["--log", "json", "serve", "--config"]).arg(self.config_file());
        command
    }

    /// The configuration tables of both registries. `password` is the path of the password file.
    pub(super) fn registry_tables(&self, password: &str) -> String {
        let alias = "alias = \"reg\"";
        self.basic.table("docker.io", password, "") + &self.token.table(SECOND_REGISTRY, password, alias)
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// The registry of a round: the two take turns.
    pub(super) fn registry(&self, number: usize) -> &TargetRegistry {
        if number.is_multiple_of(2) { &self.token } else { &self.basic }
    }

    /// The rounds of a client, until the run is over.
    pub(super) fn rounds(&self, client: &'static str) -> impl Iterator<Item = Round<'_>> {
        (0..).take_while(|_| !self.is_over()).map(move |number: usize| {
            // Each registry gets every size.
            let size = LAYER_SIZES[number / 2 % LAYER_SIZES.len()];
            let image = Image::build_with(&format!("{client}-{number}"), &["amd64"], size);
            let (repository, tag) = (format!("soak/{client}"), number.to_string());
            Round { client, results: &self.results, registry: self.registry(number), repository, tag, image }
        })
    }
}

impl Round<'_> {
    pub(super) fn platform(&self) -> &Platform {
        &self.image.platforms[0]
    }

    /// Size of the image's only layer in bytes.
    pub(super) fn size(&self) -> usize {
        self.platform().layer_bytes.len()
    }

    /// The name by which a client pushes and pulls the image.
    pub(super) fn image_name(&self) -> String {
        self.registry.image(&format!("{}:{}", self.repository, self.tag))
    }

    /// Runs and records a push of the image.
    pub(super) async fn push(&self, push: impl Future<Output = ()>) {
        self.record(Operation::Push, self.size(), push).await;
    }

    /// Runs and records a pull of the image.
    pub(super) async fn pull(&self, pull: impl Future<Output = ()>) {
        self.record(Operation::Pull, self.size(), pull).await;
    }

    /// Runs and records an operation that transfers `size` bytes of layers.
    pub(super) async fn record(&self, operation: Operation, size: usize, work: impl Future<Output = ()>) {
        self.results.record(self.client, operation, size, work).await;
    }
}

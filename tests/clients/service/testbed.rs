//! regpass with a configuration file that tests rewrite, in front of a simulated registry on loopback.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::process::{Daemon, output, program, stdout};
use crate::registry::{PASSWORD, USER};
use crate::regpass::logged_address;
use crate::sim::{Blob, Fault, Image, ImageFormat, Preset, Registry, Sim};

/// Time within which a changed file must take effect.
pub(super) const RELOAD_LIMIT: Duration = Duration::from_secs(5);

/// The message that regpass logs after a successful reload.
pub(super) const RELOADED: &str = "configuration reloaded: the new configuration is active";
/// The message that regpass logs when the new configuration is invalid.
pub(super) const REJECTED: &str = "configuration rejected: the previous configuration stays active";

/// The path of the published manifest if the registry's alias is `one`.
pub(super) const MANIFEST: &str = "/v2/one/team/app/manifests/1";

/// Size of the blob that [`Testbed::start_slow_download`] downloads.
const BLOB_SIZE: usize = 256 << 10;

pub(super) struct Testbed {
    pub(super) sim: Sim,
    pub(super) registry: Registry,
    pub(super) home: TempDir,
}

/// A running regpass with an admin listener.
pub(super) struct RunningRegpass {
    pub(super) daemon: Daemon,
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// A download that is still running.
pub(super) struct Download {
    task: JoinHandle<()>,
    file: PathBuf,
}

impl Testbed {
    /// Starts a registry with the image `team/app:1`, which requires the password.
    pub(super) async fn start() -> Self {
        let sim = Sim::loopback();
        let registry = sim.start(Preset::generic()).await;
        registry.add_user(USER, PASSWORD);
        registry.publish_private("team/app", "1", &Image::single("app", ImageFormat::Oci));
        Self { sim, registry, home: tempfile::tempdir().expect("a directory for regpass") }
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.home.path().join("config.toml")
    }

    /// A configuration with two listeners on port 0, the second for admin, and the registry under an alias. `more` follows
    /// the registry's keys.
    pub(super) fn config(&self, alias: &str, more: &str) -> String {
        format!(
            "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n[registry.\"sim.test\"]\n\
             alias = \"{alias}\"\nurl = \"{}\"\nrealm_hosts = [\"{}\"]\ncredential = {{ source = \"password\", \
             username = \"{USER}\", password = \"{PASSWORD}\" }}\n{more}\n",
            self.registry.origin(),
            self.registry.token_service().authority(),
        )
    }

    /// Like [`config`](Self::config), with the alias `one` and additional keys for the first listener.
    pub(super) fn config_with_listener_keys(&self, keys: &str) -> String {
        self.config("one", "").replacen("\n[admin]", &format!("\n{keys}\n[admin]"), 1)
    }

    /// Like [`config`](Self::config), with the alias `one` and another credential for the registry.
    pub(super) fn config_with_credential(&self, credential: &str) -> String {
        let config = self.config("one", "");
        let (before, rest) = config.split_once("credential = ").expect("a credential");
        let (_, after) = rest.split_once('\n').expect("the end of the line");
        format!("{before}credential = {credential}\n{after}")
    }

    pub(super) fn write_config(&self, text: &str) {
        fs::write(self.config_file(), text).expect("config.toml is written");
    }

    /// The command that serves with the configuration file.
    pub(super) fn command(&self) -> Command {
        let mut command = program(env!("CARGO_BIN_EXE_regpass"), self.home.path());
        command.args(["--log", "json", "serve", "--config"]).arg(self.config_file());
        command
    }

    /// Starts regpass with this configuration.
    pub(super) async fn start_regpass(&self, config: &str) -> RunningRegpass {
        self.write_config(config);
        self.start_regpass_with_file().await
    }

    /// Starts regpass with the configuration file as it is.
    pub(super) async fn start_regpass_with_file(&self) -> RunningRegpass {
        RunningRegpass::from_daemon(Daemon::start("regpass", self.command())).await
    }

    /// Rewrites the configuration file and waits until `regpass` has reloaded it.
    pub(super) async fn reload(&self, regpass: &RunningRegpass, config: &str) {
        let skip = regpass.daemon.log_length();
        self.write_config(config);
        regpass.wait_for_log(skip, RELOADED).await;
    }

    /// Starts the download of a blob through `address`, by the alias `one`. The registry answers after `delay`. Returns once
    /// the registry has received the request.
    pub(super) async fn start_slow_download(&self, address: SocketAddr, delay: Duration) -> Download {
        let blob = Blob::random(7, BLOB_SIZE);
        self.registry.publish_blob("team/big", &blob);
        self.registry.api().inject(Fault::delay(delay).path("/blobs/").times(1));
        let file = self.home.path().join("blob");
        let mut curl = curl();
        curl.args(["--fail", "--output"]).arg(&file);
        curl.arg(format!("http://{address}/v2/one/team/big/blobs/{}", blob.digest));
        let task = tokio::spawn(async move { drop(output(&mut curl).await) });
        while self.sim.ledger().count("registry", |entry| entry.path.contains("/blobs/")) == 0 {
            tokio::task::yield_now().await;
        }
        Download { task, file }
    }
}

impl Download {
    pub(super) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for the download and checks that it is complete.
    pub(super) async fn assert_completes(self) {
        self.task.await.expect("the download succeeds");
        assert_eq!(fs::read(self.file).expect("the blob").len(), BLOB_SIZE);
    }
}

impl RunningRegpass {
    /// Waits until regpass listens.
    pub(super) async fn from_daemon(daemon: Daemon) -> Self {
        let address = daemon.wait_for_line(|line| logged_address(line, "listening")).await;
        let admin = daemon.wait_for_line(|line| logged_address(line, "admin listening")).await;
        Self { daemon, address, admin }
    }

    /// The status of a GET, or `000` if there is no response.
    pub(super) async fn status(&self, path: &str) -> String {
        status_at(self.address, path).await
    }

    /// Repeats a check until it is true, for at most [`RELOAD_LIMIT`].
    pub(super) async fn eventually(&self, what: &str, is_true: impl AsyncFn() -> bool) {
        let repeated = async {
            while !is_true().await {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(RELOAD_LIMIT, repeated).await;
        in_time.unwrap_or_else(|_| panic!("not within {RELOAD_LIMIT:?}: {what}"));
    }

    /// The body of a page of the admin listener.
    pub(super) async fn admin_page(&self, path: &str) -> String {
        stdout(curl().arg(format!("http://{}{path}", self.admin))).await
    }

    pub(super) async fn admin_status(&self, path: &str) -> String {
        status_at(self.admin, path).await
    }

    /// Waits until the log contains `text` after its first `skip` lines, for at most [`RELOAD_LIMIT`].
    pub(super) async fn wait_for_log(&self, skip: usize, text: &str) {
        let logged = self.daemon.wait_for_text_after(skip, text);
        let in_time = tokio::time::timeout(RELOAD_LIMIT, logged).await;
        in_time.unwrap_or_else(|_| panic!("not logged within {RELOAD_LIMIT:?}: {text}"));
    }
}

/// Wraps a regpass command in a shell script, which runs it with `"$0" "$@"`.
pub(super) fn in_shell(script: &str, regpass: &Command) -> Command {
    let regpass = regpass.as_std();
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(regpass.get_program()).args(regpass.get_args());
    command.env_clear().envs(regpass.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// 127.0.0.1 with a port that is free at the moment, at all IPv4 addresses.
pub(super) async fn free_address() -> SocketAddr {
    let socket = TcpListener::bind("0.0.0.0:0").await.expect("a free port");
    SocketAddr::from(([127, 0, 0, 1], socket.local_addr().expect("a bound address").port()))
}

pub(super) fn curl() -> Command {
    let mut curl = Command::new("curl");
    // A failed test prints what it says.
    curl.args(["-q", "--silent", "--verbose", "--max-time", "60"]);
    curl
}

/// Makes curl print only the status of the response.
pub(super) fn status_only(curl: &mut Command) -> &mut Command {
    curl.args(["--output", "/dev/null", "--write-out", "%{http_code}"])
}

/// The status of a GET at `address`, or `000` if there is no response.
pub(super) async fn status_at(address: SocketAddr, path: &str) -> String {
    let mut curl = curl();
    status_only(&mut curl).arg(format!("http://{address}{path}"));
    let output = curl.output().await.expect("curl runs");
    String::from_utf8(output.stdout).expect("a status")
}

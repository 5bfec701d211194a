//! The stage: regpass with a configuration file that can be written again, before simulated registries on loopback.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Daemon, plain, stdout};
use crate::registry::{PASSWORD, USER};
use crate::sim::{Family, Image, Preset, Registry, Sim};

/// How soon a changed file is in force.
pub(super) const SOON: Duration = Duration::from_secs(5);

pub(super) struct House {
    pub(super) sim: Sim,
    pub(super) registry: Registry,
    pub(super) home: TempDir,
}

/// A running regpass.
pub(super) struct Running {
    pub(super) daemon: Daemon,
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl House {
    /// `team/app:1` is there, for whoever has the login.
    pub(super) async fn build() -> Self {
        let sim = Sim::loopback();
        let registry = sim.start(Preset::generic()).await;
        registry.user(USER, PASSWORD);
        registry.keep("team/app", "1", &Image::single("app", Family::Oci));
        Self { sim, registry, home: tempfile::tempdir().expect("a directory for regpass") }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.home.path().join("config.toml")
    }

    /// The registry under an alias, and an admin listener; `more` follows.
    pub(super) fn config(&self, alias: &str, more: &str) -> String {
        format!(
            "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n[registry.\"house.test\"]\n\
             alias = \"{alias}\"\nurl = \"{}\"\nrealm_hosts = [\"{}\"]\ncredential = {{ source = \"password\", \
             username = \"{USER}\", password = \"{PASSWORD}\" }}\n{more}\n",
            self.registry.origin(),
            self.registry.token().authority(),
        )
    }

    /// As [`config`](Self::config), with further keys on the first listener.
    pub(super) fn config_behind(&self, keys: &str, more: &str) -> String {
        self.config("one", more).replacen("\n[admin]", &format!("\n{keys}\n[admin]"), 1)
    }

    /// As [`config`](Self::config), with another login at the registry.
    pub(super) fn config_with(&self, login: &str, more: &str) -> String {
        let config = self.config("one", more);
        let (before, rest) = config.split_once("credential = ").expect("a login");
        let (_, after) = rest.split_once('\n').expect("a line");
        format!("{before}credential = {login}\n{after}")
    }

    pub(super) fn write(&self, text: &str) {
        fs::write(self.file(), text).expect("the configuration");
    }

    pub(super) fn command(&self) -> Command {
        let mut command = plain(env!("CARGO_BIN_EXE_regpass"), self.home.path());
        command.args(["--log", "json", "serve", "--config"]).arg(self.file());
        command
    }

    /// Starts regpass with this configuration.
    pub(super) async fn start(&self, config: &str) -> Running {
        self.write(config);
        Running::of(Daemon::start("regpass", self.command())).await
    }
}

impl Running {
    pub(super) async fn of(daemon: Daemon) -> Self {
        let address = daemon.line(|line| bound(line, "listening")).await;
        let admin = daemon.line(|line| bound(line, "admin listening")).await;
        Self { daemon, address, admin }
    }

    /// The status of a request, or `000` when there is no answer.
    pub(super) async fn status(&self, path: &str) -> String {
        status_at(self.address, path).await
    }

    /// Asks again until something is so, for as long as a change may take.
    pub(super) async fn soon(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let asking = async {
            while !is_so().await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, asking).await.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"));
    }

    pub(super) async fn admin_page(&self, path: &str) -> String {
        stdout(curl().arg(format!("http://{}{path}", self.admin))).await
    }

    pub(super) async fn admin_status(&self, path: &str) -> String {
        status_at(self.admin, path).await
    }

    pub(super) fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args(["-s", name, &self.daemon.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for the log to say `message` after `mark`; within [`SOON`], as every test of a change asks.
    pub(super) async fn says(&self, mark: usize, message: &str) {
        let said = self.daemon.line_after(mark, |line| line.contains(message).then_some(()));
        tokio::time::timeout(SOON, said).await.unwrap_or_else(|_| panic!("not within {SOON:?}: {message}"));
    }
}

pub(super) fn curl() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-q", "--silent", "--max-time", "60"]);
    curl
}

pub(super) async fn status_at(address: SocketAddr, path: &str) -> String {
    let mut curl = curl();
    curl.args(["--output", "/dev/null", "--write-out", "%{http_code}"]).arg(format!("http://{address}{path}"));
    let output = curl.output().await.expect("curl");
    String::from_utf8(output.stdout).expect("text")
}

fn bound(line: &str, message: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["message"] == message).then(|| line["address"].as_str()?.parse().ok())?
}

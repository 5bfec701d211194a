//! The real `regpass` binary with a configuration file.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Daemon, plain};

#[derive(Debug)]
pub(crate) struct Regpass {
    pub(crate) address: SocketAddr,
    daemon: Daemon,
    _home: TempDir,
}

impl Regpass {
    /// `config` has one listener, on port 0.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_in(config, &[]).await
    }

    /// The same, with these variables.
    pub(crate) async fn start_in(config: &str, variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().expect("a directory for regpass");
        let file = home.path().join("config.toml");
        fs::write(&file, config).expect("config");
        let mut command = plain(Path::new(env!("CARGO_BIN_EXE_regpass")), home.path());
        command.args(["--log", "json", "serve", "--config"]).arg(file).envs(variables.iter().copied());
        let daemon = Daemon::start("regpass", command);
        let address = daemon.line(|line| address_after(line, "listening")).await;
        Self { address, daemon, _home: home }
    }

    /// `name` as a client on this machine writes it.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.address.port())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.image("").trim_end_matches('/'))
    }

    /// Where the admin listener is, when the configuration has one.
    pub(crate) async fn admin(&self) -> SocketAddr {
        self.daemon.line(|line| address_after(line, "admin listening")).await
    }

    pub(crate) fn id(&self) -> u32 {
        self.daemon.id()
    }

    /// Waits until it has logged a line with these words, of those that follow the first `mark`.
    pub(crate) async fn logged(&self, mark: usize, words: &str) {
        self.daemon.line_after(mark, |line| line.contains(words).then_some(())).await;
    }

    /// How many lines it has logged.
    pub(crate) fn mark(&self) -> usize {
        self.daemon.mark()
    }

    /// What the log says of the first image of this name, once it is over.
    pub(crate) async fn told_of(&self, image: &str) -> Value {
        let told = |line: &str| serde_json::from_str(line).ok().filter(|line: &Value| line["image"] == image);
        self.daemon.line(told).await
    }

    /// Ends it and returns its whole log.
    pub(crate) fn stop(self) -> Vec<String> {
        self.daemon.stop()
    }
}

/// The address in a line of the log with this message.
fn address_after(line: &str, message: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line["message"] != message {
        return None;
    }
    line["address"].as_str()?.parse().ok()
}

//! The real `regpass` binary, run with a configuration file.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Daemon, program};

#[derive(Debug)]
pub(crate) struct Regpass {
    /// The address of the first listener.
    pub(crate) address: SocketAddr,
    daemon: Daemon,
    _home: TempDir,
}

impl Regpass {
    /// Starts regpass. `config` has one listener, on port 0.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_with_env(config, &[]).await
    }

    /// Starts regpass with these environment variables.
    pub(crate) async fn start_with_env(config: &str, variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().expect("a directory for regpass");
        let file = home.path().join("config.toml");
        fs::write(&file, config).expect("config.toml is written");
        let mut command = program(Path::new(env!("CARGO_BIN_EXE_regpass")), home.path());
        command.args(["--log", "json", "serve", "--config"]).arg(file).envs(variables.iter().copied());
        let daemon = Daemon::start("regpass", command);
        let address = daemon.wait_for_line(|line| logged_address(line, "listening")).await;
        Self { address, daemon, _home: home }
    }

    /// The name by which a client on this machine pulls or pushes `name` through regpass.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.address.port())
    }

    /// The host and port that a client on this machine logs in at.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// The address of the admin listener. Waits forever if the configuration has none.
    pub(crate) async fn admin_address(&self) -> SocketAddr {
        self.daemon.wait_for_line(|line| logged_address(line, "admin listening")).await
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// Sends a signal, named as for `kill -s`.
    pub(crate) fn signal(&self, name: &str) {
        self.daemon.signal(name);
    }

    /// Waits until the log has a line that contains `text`, after its first `skip` lines.
    pub(crate) async fn wait_for_log(&self, skip: usize, text: &str) {
        self.daemon.wait_for_text_after(skip, text).await;
    }

    /// The number of lines in the log so far.
    pub(crate) fn log_length(&self) -> usize {
        self.daemon.log_length()
    }

    /// Waits for the log line that sums up the first pull or push of `image`.
    pub(crate) async fn image_record(&self, image: &str) -> Value {
        let record = |line: &str| serde_json::from_str(line).ok().filter(|line: &Value| line["image"] == image);
        self.daemon.wait_for_line(record).await
    }

    /// Kills regpass and returns its whole log.
    pub(crate) fn stop(self) -> Vec<String> {
        self.daemon.stop()
    }
}

/// The `address` of a JSON log line with this message.
pub(crate) fn logged_address(line: &str, message: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line["message"] != message {
        return None;
    }
    line["address"].as_str()?.parse().ok()
}

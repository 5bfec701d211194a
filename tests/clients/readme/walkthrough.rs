//! A user who follows README.md: the user's files, container engines, and the regpass that is running.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::blocks::Block;
use super::readme_registry::{CORP, ReadmeRegistry};
use crate::process::{Daemon, output, program, search_path};
use crate::registry::{PASSWORD, USER};
use crate::sandbox::listening_addresses;
use crate::{containerd, docker};

/// The command with which the user starts regpass.
pub(super) const WITH_DOCKER_CREDENTIALS: &str = "regpass --docker-credentials";

pub(super) struct Walkthrough {
    // Declared before `home`, so that the programs are killed before their directory is removed.
    regpass: Option<Daemon>,
    dockerd: Option<Daemon>,
    containerd: Option<Daemon>,
    registries: [ReadmeRegistry; 3],
    /// Files that were written and not used by a command yet.
    pub(super) unused_files: BTreeSet<PathBuf>,
    home: TempDir,
}

impl Walkthrough {
    pub(super) async fn start() -> Self {
        let home = tempfile::tempdir().expect("a home");
        for directory in ["bin", "logins/.docker", "logins/run/containers"] {
            fs::create_dir_all(home.path().join(directory)).expect("a directory is created");
        }
        let regpass = home.path().join("bin/regpass");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_regpass"), regpass).expect("a link to regpass");

        let registries = ReadmeRegistry::start_all(home.path()).await;
        let unused_files = BTreeSet::new();
        let mut walkthrough = Self { regpass: None, dockerd: None, containerd: None, registries, unused_files, home };
        walkthrough.write_base_config();
        walkthrough.store_credentials().await;
        for registry in &mut walkthrough.registries {
            registry.end_setup().await;
        }
        walkthrough
    }

    /// Writes the one thing that the page does not have: a configuration with the addresses of this test's registries.
    fn write_base_config(&self) {
        let mut config = "[admin]\naddress = '127.0.0.1:5051'\n".to_owned();
        for ReadmeRegistry { name, registry, .. } in &self.registries[..2] {
            writeln!(config, "[registry.'{name}']\nurl = 'http://{}'", registry.address)
                .expect("a String accepts all writes");
        }
        fs::write(self.home().join("base.toml"), config).expect("base.toml is written");
    }

    /// Writes the files of a login to Docker Hub with a credential helper and of one to GHCR. Logs in to [`CORP`].
    async fn store_credentials(&self) {
        use std::os::unix::fs::PermissionsExt;
        let docker = json!({ "auths": { "https://index.docker.io/v1/": {} }, "credsStore": "drawer" });
        fs::write(self.home().join("logins/.docker/config.json"), docker.to_string()).expect("config.json is written");
        let helper = self.home().join("bin/docker-credential-drawer");
        let credential = json!({ "ServerURL": "", "Username": USER, "Secret": PASSWORD });
        let script = format!(
            "#!/bin/sh\nread -r key\n[ \"$1 $key\" = 'get https://index.docker.io/v1/' ] && echo '{credential}'\n"
        );
        fs::write(&helper, script).expect("the credential helper is written");
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("the credential helper is executable");

        fs::write(self.home().join("logins/run/containers/auth.json"), ghcr_auth()).expect("auth.json is written");
        let login = format!("podman login --tls-verify=false --username {USER} --password {PASSWORD} {CORP}");
        output(&mut self.shell_with_credentials(&login)).await;
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The registry of a command or image name. Docker Hub is the default.
    pub(super) fn registry_of(&self, text: &str) -> &ReadmeRegistry {
        let [hub, others @ ..] = &self.registries;
        others.iter().find(|registry| text.contains(registry.repository)).unwrap_or(hub)
    }

    /// A shell command line, without access to credentials. When it ends, so do all processes that it started.
    pub(super) fn shell(&self, line: &str) -> Command {
        let mut shell = program("unshare", self.home());
        shell.args(["--mount-proc", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c", line]);
        shell.current_dir(self.home());
        shell.env("PATH", format!("{}:{}", self.home().join("bin").display(), search_path()));
        shell.env("REGPASS_CONFIG", self.home().join("base.toml")).env("GHCR_TOKEN", PASSWORD);
        // These storage drivers need no support from the kernel.
        shell.env("STORAGE_DRIVER", "vfs").env("CONTAINERD_SNAPSHOTTER", "native");
        shell
    }

    /// Like [`shell`](Self::shell), with access to the stored credentials.
    fn shell_with_credentials(&self, line: &str) -> Command {
        let mut shell = self.shell(line);
        let logins = self.home().join("logins");
        shell.env("XDG_RUNTIME_DIR", logins.join("run")).env("HOME", logins);
        shell
    }

    /// Replaces the regpass that is running. `ready` is the text that the new one logs.
    async fn start_regpass(&mut self, command: Command, ready: &str) {
        self.stop_regpass();
        self.regpass = Some(Daemon::start_ready("regpass", command, ready).await);
        for port in [5050, 5051] {
            let open = listening_addresses(port).into_iter().find(|address| !is_loopback(address));
            assert_eq!(open, None, "port {port} is open to other machines");
        }
    }

    /// Stops regpass and checks that its log contains no secret.
    fn stop_regpass(&mut self) {
        for line in self.regpass.take().map(Daemon::stop).unwrap_or_default() {
            assert!(!line.contains(PASSWORD) && !line.contains(&basic_auth()), "a secret in the log: {line}");
        }
    }

    /// Starts regpass without arguments, configuration, network and credentials, checks it, then starts it with docker's
    /// credentials.
    pub(super) async fn start_without_configuration(&mut self) {
        let mut regpass = self.shell("regpass");
        regpass.env_remove("REGPASS_CONFIG");
        self.start_regpass(regpass, "admin listening address=127.0.0.1:5051").await;
        self.assert_serves_without_configuration().await;
        self.start_regpass(self.shell_with_credentials(WITH_DOCKER_CREDENTIALS), "admin listening").await;
    }

    pub(super) async fn start_sidecar(&mut self, command: &str) {
        fs::create_dir_all("/run/secrets").expect("/run/secrets is created");
        fs::write("/run/secrets/config.json", ghcr_auth()).expect("/run/secrets/config.json is written");
        self.start_regpass(self.shell(command), "listening address=127.0.0.1:5050").await;
    }

    /// Writes the file that a block shows to the path that the page names, then uses it.
    pub(super) async fn write(&mut self, block: &Block) {
        let file = block.file().unwrap_or_else(|| panic!("README.md:{} does not say which file this is", block.line));
        let path = self.home().join(&file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is created");
        fs::write(&path, &block.text).expect("the file is written");
        match file.to_str() {
            Some("/etc/docker/daemon.json") => {
                assert!(block.introduction.contains("keep pulling `python:3.12`"), "{}", block.introduction);
                // dockerd reads its settings only at start.
                self.dockerd = None;
                self.run("docker pull python:3.12").await;
            }
            Some("/etc/containers/registries.conf.d/regpass.conf") => {
                for command in [
                    "podman pull ghcr.io/toddysm/python:3.10",
                    "buildah from --pull-always ghcr.io/toddysm/python:3.10",
                    "skopeo copy docker://ghcr.io/toddysm/python:3.10 dir:mirrored",
                ] {
                    self.run(command).await;
                }
            }
            Some("regpass.toml") => {
                let regpass = self.shell_with_credentials("regpass --config regpass.toml");
                self.start_regpass(regpass, "listening address=127.0.0.1:5050").await;
                self.assert_serves_with_configuration().await;
                self.unused_files.insert(file);
            }
            // The page's next command uses this file: it names the file's folder.
            Some("/etc/containerd/certs.d/ghcr.io/hosts.toml") => drop(self.unused_files.insert(file)),
            _ => panic!("README.md:{}: this test does not know how {} is used", block.line, file.display()),
        }
    }

    pub(super) async fn ensure_dockerd(&mut self) {
        self.ensure_containerd().await;
        if self.dockerd.is_none() {
            // As Debian's unit starts it, but without a container network and a storage driver of the kernel.
            let mut command = program("dockerd", self.home());
            command.args(["--containerd=/run/containerd/containerd.sock", "--storage-driver=vfs", "--bridge=none"]);
            command.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]);
            self.dockerd = Some(Daemon::start_ready("dockerd", command, docker::READY).await);
        }
    }

    pub(super) async fn ensure_containerd(&mut self) {
        if self.containerd.is_none() {
            // Without the Kubernetes interface, and without a plugin that writes to /opt.
            let config =
                "version = 2\ndisabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt']";
            let file = self.home().join("containerd.toml");
            fs::write(&file, config).expect("containerd.toml is written");
            let mut command = program("containerd", self.home());
            command.arg("--config").arg(file);
            self.containerd = Some(Daemon::start_ready("containerd", command, containerd::READY).await);
        }
    }

    /// The current lengths of regpass's log and of the registry's own log. A request to `registry` appears in both.
    pub(super) fn log_lengths(&self, registry: &ReadmeRegistry) -> [usize; 2] {
        [self.regpass().log_length(), registry.registry.daemon().log_length()]
    }

    /// Waits until regpass and the registry have both logged a request for the registry's repository with this status, after
    /// these [`log_lengths`](Self::log_lengths).
    pub(super) async fn wait_for_request(&self, registry: &ReadmeRegistry, log_lengths: [usize; 2], status: u16) {
        let [regpass_length, registry_length] = log_lengths;
        let texts = [format!(" {}/{}", registry.name, registry.repository), format!(" {status} ")];
        let is_request = |line: &str| texts.iter().all(|text| line.contains(text)).then_some(());
        self.regpass().wait_for_line_after(regpass_length, is_request).await;
        registry.wait_for_request(registry_length, status).await;
    }

    fn regpass(&self) -> &Daemon {
        self.regpass.as_ref().expect("regpass is running")
    }

    /// Stops everything at the end of the page.
    pub(super) fn finish(mut self) {
        assert!(self.unused_files.is_empty(), "written and never used: {:?}", self.unused_files);
        self.stop_regpass();
        for daemon in [self.dockerd.take(), self.containerd.take()] {
            drop(daemon.expect("the page has commands for docker and for containerd"));
        }
        self.registries.into_iter().for_each(ReadmeRegistry::finish);
    }
}

fn basic_auth() -> String {
    STANDARD.encode(format!("{USER}:{PASSWORD}"))
}

/// Docker's configuration file with the credential for GHCR.
fn ghcr_auth() -> String {
    json!({ "auths": { "ghcr.io": { "auth": basic_auth() } } }).to_string()
}

/// Whether an address is in 127.0.0.0/8 or `::1`. The kernel prints addresses as little-endian numbers of four bytes.
fn is_loopback(address: &str) -> bool {
    match address.len() {
        8 => address.ends_with("7F"),
        _ => address == format!("{:0>24}01000000", 0),
    }
}

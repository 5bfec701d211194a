//! Somebody who follows the README: their files, their engines, and the regpass they have running.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::page::Block;
use super::remote::{CORP, Remote};
use crate::machine::listening_on;
use crate::process::{Daemon, output, plain, search_path};
use crate::registry::{PASSWORD, USER};

/// What the reader starts regpass with.
pub(super) const WITH_LOGINS: &str = "regpass --docker-credentials";

pub(super) struct Reader {
    // The programs go before their directory.
    regpass: Option<Daemon>,
    dockerd: Option<Daemon>,
    containerd: Option<Daemon>,
    remotes: [Remote; 3],
    /// Files that were written and wait for the command that uses them.
    pub(super) unused: BTreeSet<PathBuf>,
    home: TempDir,
}

impl Reader {
    pub(super) async fn new() -> Self {
        let home = tempfile::tempdir().expect("a home");
        for directory in ["bin", "logins/.docker", "logins/run"] {
            fs::create_dir_all(home.path().join(directory)).expect("a directory at home");
        }
        let regpass = home.path().join("bin/regpass");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_regpass"), regpass).expect("regpass on the PATH");

        let remotes = Remote::all(home.path()).await;
        let unused = BTreeSet::new();
        let mut reader = Self { regpass: None, dockerd: None, containerd: None, remotes, unused, home };
        reader.stands_in_for_the_internet();
        reader.logs_in().await;
        for remote in &mut reader.remotes {
            remote.opens().await;
        }
        reader
    }

    /// The one thing that the page does not tell: where its registries are on this machine.
    fn stands_in_for_the_internet(&self) {
        let mut config = "[admin]\naddress = '127.0.0.1:5051'\n".to_owned();
        for Remote { name, registry, .. } in &self.remotes[..2] {
            writeln!(config, "[registry.'{name}']\nurl = 'http://{}'", registry.address).expect("a String takes all");
        }
        fs::write(self.home().join("stand-in.toml"), config).expect("stand-in.toml");
    }

    /// Leaves behind what a login to Docker Hub with a credential store does, and one to GHCR; the last one is made.
    async fn logs_in(&self) {
        use std::os::unix::fs::PermissionsExt;
        let docker = json!({ "auths": { "https://index.docker.io/v1/": {} }, "credsStore": "drawer" });
        fs::write(self.home().join("logins/.docker/config.json"), docker.to_string()).expect("docker's file");
        let store = self.home().join("bin/docker-credential-drawer");
        let answer = json!({ "ServerURL": "", "Username": USER, "Secret": PASSWORD });
        let script =
            format!("#!/bin/sh\nread -r key\n[ \"$1 $key\" = 'get https://index.docker.io/v1/' ] && echo '{answer}'\n");
        fs::write(&store, script).expect("a credential store");
        fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).expect("a program");

        fs::create_dir_all(self.home().join("logins/run/containers")).expect("podman's directory");
        fs::write(self.home().join("logins/run/containers/auth.json"), ghcr_login()).expect("podman's file");
        let login = format!("podman login --tls-verify=false --username {USER} --password {PASSWORD} {CORP}");
        output(&mut self.with_logins(&login)).await;
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The remote that `text` means: a command, or a name of an image.
    pub(super) fn remote(&self, text: &str) -> &Remote {
        let [hub, others @ ..] = &self.remotes;
        others.iter().find(|remote| text.contains(remote.repository)).unwrap_or(hub)
    }

    /// A line of shell as the reader types it, without any login. It ends with everything that it starts.
    pub(super) fn sh(&self, line: &str) -> Command {
        let mut sh = plain("unshare", self.home());
        sh.args(["--mount-proc", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c", line]);
        sh.current_dir(self.home());
        sh.env("PATH", format!("{}:{}", self.home().join("bin").display(), search_path()));
        sh.env("REGPASS_CONFIG", self.home().join("stand-in.toml")).env("GHCR_TOKEN", PASSWORD);
        // Neither needs anything of the kernel.
        sh.env("STORAGE_DRIVER", "vfs").env("CONTAINERD_SNAPSHOTTER", "native");
        sh
    }

    /// The same in the session of somebody who has logged in.
    fn with_logins(&self, line: &str) -> Command {
        let mut sh = self.sh(line);
        let logins = self.home().join("logins");
        sh.env("XDG_RUNTIME_DIR", logins.join("run")).env("HOME", logins);
        sh
    }

    /// Replaces the regpass that is running.
    async fn starts(&mut self, command: Command, ready: &str) {
        self.retires_regpass();
        let regpass = Daemon::start("regpass", command);
        regpass.line(|line| line.contains(ready).then_some(())).await;
        self.regpass = Some(regpass);
        for port in [5050, 5051] {
            let open = listening_on(port).into_iter().find(|address| !is_loopback(address));
            assert_eq!(open, None, "port {port} is open to others");
        }
    }

    /// No secret in its log.
    fn retires_regpass(&mut self) {
        for line in self.regpass.take().map(Daemon::stop).unwrap_or_default() {
            assert!(!line.contains(PASSWORD) && !line.contains(&login()), "a secret in the log: {line}");
        }
    }

    /// As the release does: no arguments, no configuration, no network, no login.
    pub(super) async fn starts_without_anything(&mut self) {
        let mut regpass = self.sh("regpass");
        regpass.env_remove("REGPASS_CONFIG");
        self.starts(regpass, "admin listening address=127.0.0.1:5051").await;
        self.sees_the_default().await;
        self.starts(self.with_logins(WITH_LOGINS), "admin listening").await;
    }

    pub(super) async fn starts_the_sidecar(&mut self, command: &str) {
        fs::create_dir_all("/run/secrets").expect("/run/secrets");
        fs::write("/run/secrets/config.json", ghcr_login()).expect("/run/secrets/config.json");
        self.starts(self.sh(command), "listening address=127.0.0.1:5050").await;
    }

    /// Writes the file that a block shows, exactly where it says; then it is used.
    pub(super) async fn writes(&mut self, block: &Block) {
        let file = block.file().unwrap_or_else(|| panic!("README.md:{} does not say which file this is", block.line));
        let path = self.home().join(&file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder of the file");
        fs::write(&path, &block.text).expect("the file");
        match file.to_str() {
            Some("/etc/docker/daemon.json") => {
                assert!(block.intro.contains("go on pulling `python:3.12`"), "{}", block.intro);
                // It has read its settings when it started.
                self.dockerd = None;
                self.runs("docker pull python:3.12").await;
            }
            Some("/etc/containers/registries.conf.d/regpass.conf") => {
                for command in [
                    "podman pull ghcr.io/toddysm/python:3.10",
                    "buildah from --pull-always ghcr.io/toddysm/python:3.10",
                    "skopeo copy docker://ghcr.io/toddysm/python:3.10 dir:mirrored",
                ] {
                    self.runs(command).await;
                }
            }
            Some("regpass.toml") => {
                let listening = "listening address=127.0.0.1:5050";
                self.starts(self.with_logins("regpass --config regpass.toml"), listening).await;
                self.sees_the_file_in_force().await;
                self.unused.insert(file);
            }
            // The command that follows names its folder.
            Some("/etc/containerd/certs.d/ghcr.io/hosts.toml") => drop(self.unused.insert(file)),
            _ => panic!("README.md:{}: this test does not know how {} is used", block.line, file.display()),
        }
    }

    pub(super) async fn needs_dockerd(&mut self) {
        self.needs_containerd().await;
        if self.dockerd.is_none() {
            // As Debian's unit starts it; pulling needs no network, and the vfs driver nothing of the kernel.
            let mut command = plain("dockerd", self.home());
            command.args(["--containerd=/run/containerd/containerd.sock", "--storage-driver=vfs", "--bridge=none"]);
            command.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]);
            let daemon = Daemon::start("dockerd", command);
            daemon.line(|line| line.contains("API listen on").then_some(())).await;
            self.dockerd = Some(daemon);
        }
    }

    pub(super) async fn needs_containerd(&mut self) {
        if self.containerd.is_none() {
            // Kubernetes' side, and a plugin that writes to /opt.
            let config =
                "version = 2\ndisabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt']";
            let file = self.home().join("containerd.toml");
            fs::write(&file, config).expect("containerd.toml");
            let mut command = plain("containerd", self.home());
            command.arg("--config").arg(file);
            let daemon = Daemon::start("containerd", command);
            daemon.line(|line| line.contains("successfully booted").then_some(())).await;
            self.containerd = Some(daemon);
        }
    }

    /// How long the logs are that a pull from `remote` shows in: of regpass, of the registry.
    pub(super) fn marks(&self, remote: &Remote) -> [usize; 2] {
        [self.regpass().mark(), remote.registry.log().mark()]
    }

    /// Since then, regpass was asked for something of `remote`, and asked the registry for it.
    pub(super) async fn came_through(&self, remote: &Remote, marks: [usize; 2]) {
        self.went_through(remote, marks, 200).await;
    }

    /// The same of any request that both answered with `status`.
    pub(super) async fn went_through(&self, remote: &Remote, [regpass, registry]: [usize; 2], status: u16) {
        let asked = format!(" {}/{}", remote.name, remote.repository);
        let answered = format!(" {status} ");
        let asked = |line: &str| [&asked, &answered].iter().all(|part| line.contains(*part));
        self.regpass().line_after(regpass, |line| asked(line).then_some(())).await;
        remote.answered(registry, status).await;
    }

    fn regpass(&self) -> &Daemon {
        self.regpass.as_ref().expect("regpass is running")
    }

    /// At the end of the page.
    pub(super) fn leaves(mut self) {
        assert!(self.unused.is_empty(), "written and never used: {:?}", self.unused);
        self.retires_regpass();
        for daemon in [self.dockerd.take(), self.containerd.take()] {
            drop(daemon.expect("the page has commands for docker and for containerd"));
        }
        self.remotes.into_iter().for_each(Remote::close);
    }
}

fn login() -> String {
    STANDARD.encode(format!("{USER}:{PASSWORD}"))
}

fn ghcr_login() -> String {
    json!({ "auths": { "ghcr.io": { "auth": login() } } }).to_string()
}

/// 127.0.0.0/8 and `::1` as the kernel prints them: groups of four bytes, each a little-endian number.
fn is_loopback(address: &str) -> bool {
    match address.len() {
        8 => address.ends_with("7F"),
        _ => address == format!("{:0>24}01000000", 0),
    }
}
